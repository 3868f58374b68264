"""Where a score is lost: slices, clusters of texts, disagreements, worst samples; as JSON.

Samples stand in it by their places; `service.analyses.jobs` puts excerpts in their stead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from metrics.core.metric import Sample
from metrics.core.rows import Floats, Ints
from metrics.core.settling import Mask
from metrics.statistics.slices import apart
from service.analyses.clusters import Clustered, Embed, clustered
from service.analyses.disagreements import disagreements
from service.analyses.features import LEAST, MOST_VALUES, features

EXAMPLES, WORST = 3, 10
MOST_SLICES = 200
NO_CLUSTERS = "no clusters of texts: the samples are too few, or share too few words"
NO_NEIGHBOURS = "no clusters of texts: the samples are too few, or too many of their texts the same"


@dataclass(frozen=True, slots=True)
class Scored:
    """One score over the samples that have a value, and all scores of samples.

    rows    (n, C)  of the score's metric, `index` is the score's place among its values
    own     (n,)    the samples' own values, more is better
    values  (n,)    of every score of samples, by name, more is better; NaN where there is none
    groups  (n,)    clusters that were resampled together; None: samples are independent
    """

    samples: Sequence[Sample]
    rows: Floats
    reduce: Callable[[Floats], Floats]
    index: int
    own: Floats
    values: Mapping[str, Floats]
    groups: Ints | None
    higher_is_better: bool
    level: float

    @property
    def value(self) -> float:
        """Over all of these samples."""
        return float(self.reduce(self.rows.sum(0))[self.index])

    def worst(self, chosen: Mask, count: int) -> list[int]:
        """Places of the worst of the chosen samples, the worst first."""
        places = np.flatnonzero(chosen)
        order = np.argsort(self.own[places], kind="stable")
        return [int(at) for at in places[order[:count]]]


def findings(scored: Scored) -> dict[str, Any]:
    """All of it; p-values are not corrected yet."""
    notes = []
    found = _slices(scored)
    if len(found) > MOST_SLICES:
        notes.append(f"{len(found) - MOST_SLICES} more slices, of fewer samples, are left out")
        found = sorted(found, key=lambda one: -one["n"])[:MOST_SLICES]
    texts = clustered(scored.samples)
    if texts is None:
        notes.append(NO_CLUSTERS)
    everybody = np.ones(len(scored.samples), np.bool_)
    return {
        "value": scored.value,
        "n": len(scored.samples),
        "slices": found,
        "clusters": [] if texts is None else _clusters(scored, texts),
        "disagreements": disagreements(scored.values, scored.groups, scored.level),
        "worst": scored.worst(everybody, WORST),
        "notes": notes,
    }


def embedded(scored: Scored, embed: Embed) -> dict[str, Any]:
    """Clusters of texts that a sentence encoder finds alike, and notes on them."""
    texts = clustered(scored.samples, embed)
    if texts is None:
        return {"clusters": [], "notes": [NO_NEIGHBOURS]}
    return {"clusters": _clusters(scored, texts), "notes": []}


def _slices(scored: Scored) -> list[dict[str, Any]]:
    found = []
    for feature in features(scored.samples):
        labels = np.array([label or "" for label in feature.labels], object)
        known = np.array([label is not None for label in feature.labels], np.bool_)
        names, counts = np.unique(labels[known].astype(str), return_counts=True)
        common = np.argsort(-counts, kind="stable")[:MOST_VALUES]
        for label in names[common].tolist():
            told = _against_rest(scored, known & (labels == label))
            if told is not None:
                found.append(_named(feature.kind, feature.name, label) | told)
    return found


def _clusters(scored: Scored, texts: Clustered) -> list[dict[str, Any]]:
    found = []
    for place, (words, label) in enumerate(zip(texts.words, texts.labels, strict=True)):
        told = _against_rest(scored, texts.places == place)
        if told is not None:
            found.append(_named("texts", texts.of, label, words) | told)
    return found


def _named(kind: str, field: str, label: str, words: Sequence[str] = ()) -> dict[str, Any]:
    return {"kind": kind, "field": field, "label": label, "words": list(words)}


def _against_rest(scored: Scored, members: Mask) -> dict[str, Any] | None:
    """A part of the samples less the rest; None where either is too small or has no value."""
    count = int(members.sum())
    if min(count, len(members) - count) < LEAST:
        return None
    groups = scored.groups
    told = apart(scored.rows, members, scored.reduce, scored.index, groups, scored.level)
    if told is None:
        return None
    better = 1 if scored.higher_is_better else -1
    return {
        **asdict(told),
        "n": count,
        "clusters": None if groups is None else len(np.unique(groups[members])),
        "gain": better * (told.rest - scored.value),
        "examples": scored.worst(members, EXAMPLES),
    }
