"""What there is to see of a file's scores beside their values: where they come from."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from inference.errors import InputError
from metrics.core.clustered import LONGEST_VALUE, MOST_SLICES, Cluster, metadata_text
from metrics.core.metric import BoundMetric, Sample, Score
from metrics.core.names import without_value
from metrics.core.result import Result, ScoreValue
from metrics.core.rows import Floats, Ints
from metrics.statistics.correlation import deal
from metrics.statistics.correlation_matrix import correlation_matrix
from metrics.suites.choosing import Chosen, LeftOut
from metrics.suites.wording import Lang
from service.score_file.wording import WORDS

OPTION = "--slice"
BINS = 20
MOST_WORST = 5  # of a metric
MOST_CORRELATED = 24  # metrics
LEAST = 4  # samples of a correlation


@dataclass(frozen=True, slots=True)
class Scored:
    """A file's results.

    found   each metric's result, and those of the slices by name
    chosen  what of a suite is among the metrics; None: no suite was asked for
    notes   sentences on the slices
    """

    file: str
    samples: Sequence[Sample]
    asked: Sequence[BoundMetric]
    found: Sequence[tuple[Result, Mapping[str, Result]]]
    chosen: Chosen | None = None
    notes: Sequence[str] = ()

    @property
    def directions(self) -> dict[str, bool | None]:
        """Of each score, by `metric.score` and by the name alone (the first's of that name):
        whether higher is better; None: neither is."""
        found: dict[str, bool | None] = {}
        for metric in self.asked:
            for score in metric.scores:
                better = score.higher_is_better if score.judged else None
                found[f"{metric.name}.{score.name}"] = better
                found.setdefault(score.name, better)
        return found

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What of the suite is not measured."""
        return self.chosen.left_out if self.chosen is not None else ()

    def told(self) -> Iterator[dict[str, Any]]:
        """Every score's fields, its metric and slice, and whether high or low is better."""
        directions = self.directions
        for metric, name, value in self.values():
            judged = directions[f"{metric}.{value.name}"] is not None
            about = {"metric": metric, "slice": name, "judged": judged}
            yield {**about, **dataclasses.asdict(value)}

    def values(self) -> Iterator[tuple[str, str | None, ScoreValue]]:
        """(metric, slice, value) of every score: the whole set's, then its slices'."""
        for metric, (whole, parts) in zip(self.asked, self.found, strict=True):
            for at, value in enumerate(whole.scores):
                yield metric.name, None, value
                for name, part in parts.items():
                    yield metric.name, name, part.scores[at]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Of one score over the samples that have a value.

    low, high  ends of the bins, which are of one width
    counts     samples in each bin
    quantiles  at 0, 25, 50, 75 and 100%
    """

    metric: str
    score: str
    n: int
    low: float
    high: float
    counts: list[int]
    quantiles: list[float]


@dataclass(frozen=True, slots=True)
class Worst:
    """Places of samples in the file, with their values; the worst are first."""

    metric: str
    score: str
    samples: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Correlated:
    """Two scores over the `n` samples that have both; None where one of them never changes.

    Intervals are at `level`, over clusters where the scores' are; None where there is none.
    """

    a: str
    b: str
    n: int
    spearman: float | None
    pearson: float | None
    spearman_interval: tuple[float, float] | None = None
    pearson_interval: tuple[float, float] | None = None
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Details:
    """What samples' own values tell.

    mains  of the scores that are correlated, by their names there: (metric, score)
    """

    distributions: list[Distribution]
    worst: list[Worst]
    correlations: list[Correlated]
    mains: dict[str, tuple[str, str]]


def details(scored: Scored) -> Details:
    """Of metrics that have values for samples: the distribution of each score; the worst samples
    and the correlations of the score that stands for the metric. Where values are all the same, or
    neither high nor low is better, no sample is worse than others."""
    distributions: list[Distribution] = []
    worst: list[Worst] = []
    mains: dict[str, tuple[str, str]] = {}
    columns: dict[str, Floats] = {}
    for metric, (result, _) in zip(scored.asked, scored.found, strict=True):
        if result.per_sample is None:
            continue
        main = _main(metric)
        for score, values in zip(metric.scores, result.per_sample.T, strict=True):
            there = np.flatnonzero(np.isfinite(values))
            if not len(there):
                continue
            distributions.append(_distribution(metric.name, score.name, values[there]))
            if score.name == main:
                if score.judged and values[there].min() < values[there].max():
                    worst.append(Worst(metric.name, main, _worst(values, there, score)))
                name = main if main not in mains else f"{metric.name}.{main}"
                mains[name], columns[name] = (metric.name, main), values
    shown = {name: columns[name] for name in [*columns][:MOST_CORRELATED]}
    level = next((value.level for _, _, value in scored.values()), 0.95)
    return Details(distributions, worst, correlated(shown, _groups(scored), level), mains)


def slices_of(
    samples: Sequence[Sample], fields: Sequence[str], lang: Lang
) -> tuple[dict[str, Ints], list[str]]:
    """Indices of the samples with each value of the metadata's fields, as `lang=ru`, and sentences
    on what is not among them. Raises InputError for a field without a value."""
    found: dict[str, Ints] = {}
    notes = []
    for field in dict.fromkeys(fields):
        values = [metadata_text(sample.metadata.get(field)) for sample in samples]
        counted = Counter(value for value in values if value is not None)
        long = [value for value in counted if len(value) > LONGEST_VALUE]
        if not counted:
            there = {key for sample in samples for key in sample.metadata}
            raise InputError(f"{OPTION}: {without_value(field, there)}")
        if len(counted) > MOST_SLICES:
            told = {"field": field, "count": len(counted), "most": MOST_SLICES}
            notes.append(WORDS[lang]["many_slices"].format(**told))
        if long:
            notes.append(WORDS[lang]["long_slices"].format(field=field, longest=LONGEST_VALUE))
        named = [value for value, _ in counted.most_common() if len(value) <= LONGEST_VALUE]
        places: dict[str, list[int]] = {value: [] for value in named[:MOST_SLICES]}
        for index, own in enumerate(values):
            if own is not None and own in places:
                places[own].append(index)
        found |= {f"{field}={value}": np.asarray(at, np.int64) for value, at in places.items()}
    return found, notes


def _main(metric: BoundMetric) -> str:
    """The score that stands for the metric: the one of its name, else the last."""
    names = metric.score_names
    return metric.name if metric.name in names else names[-1]


def _worst(values: Floats, there: Ints, score: Score) -> list[tuple[int, float]]:
    order = values[there] if score.higher_is_better else -values[there]
    at = there[np.argsort(order, kind="stable")[:MOST_WORST]]
    return list(zip(at.tolist(), values[at].tolist(), strict=True))


def _distribution(metric: str, score: str, values: Floats) -> Distribution:
    low, high = float(values.min()), float(values.max())
    counts = [len(values)]
    # halves, as the difference of the ends may be too large for a number; no bins where it is lost
    width = high / 2 - low / 2
    if width > 1e-12 * max(abs(low), abs(high)):
        part = np.clip((values / 2 - low / 2) / width * BINS, 0, BINS - 1)
        counts = np.bincount(part.astype(np.int64), minlength=BINS).tolist()
    ordered = np.sort(values)
    at = np.linspace(0, len(ordered) - 1, 5).round().astype(np.int64)
    return Distribution(metric, score, len(values), low, high, counts, ordered[at].tolist())


def correlated(
    columns: Mapping[str, Floats], groups: Ints | None, level: float
) -> list[Correlated]:
    """Of each two columns (n,), NaN where missing, over the samples that have both.

    groups  (n,) samples that belong together; None: each for itself
    """
    there = {name: np.isfinite(values) for name, values in columns.items()}
    alike: dict[bytes, list[tuple[str, str]]] = {}  # pairs that the same samples have
    for a, b in combinations(columns, 2):
        alike.setdefault((there[a] & there[b]).tobytes(), []).append((a, b))
    found: dict[tuple[str, str], Correlated] = {}
    for pairs in alike.values():
        both = np.flatnonzero(there[pairs[0][0]] & there[pairs[0][1]])
        names = list(dict.fromkeys(name for pair in pairs for name in pair))
        if len(both) < LEAST:
            found |= {(a, b): Correlated(a, b, len(both), None, None) for a, b in pairs}
            continue
        values = np.stack([columns[name][both] for name in names])
        dealt = deal(len(both), None if groups is None else groups[both])
        ranks, linear = (
            correlation_matrix(values, dealt, level, ranked=ranked) for ranked in (True, False)
        )
        for a, b in pairs:
            x, y = (one.at(names.index(a), names.index(b)) for one in (ranks, linear))
            found[a, b] = Correlated(
                a, b, len(both), x.value, y.value, x.interval, y.interval, level
            )
    return [found[pair] for pair in combinations(columns, 2)]


def _groups(scored: Scored) -> Ints | None:
    """(n,) the cluster of each sample, where intervals are over clusters."""
    field = next((whole.cluster for whole, _ in scored.found if whole.cluster), None)
    if field is None:
        return None
    names = Cluster.of(scored.samples, field).names
    return np.asarray(np.unique(names, return_inverse=True)[1], np.int64)
