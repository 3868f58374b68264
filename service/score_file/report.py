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
from metrics.core.clustered import LONGEST_VALUE, MOST_SLICES, metadata_text
from metrics.core.metric import BoundMetric, Sample, Score
from metrics.core.names import without_value
from metrics.core.result import Result, ScoreValue
from metrics.core.rows import Floats, Ints
from metrics.statistics.correlation import pearson, spearman
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
    """Two scores over the `n` samples that have both; None where one of them never changes."""

    a: str
    b: str
    n: int
    spearman: float | None
    pearson: float | None


@dataclass(frozen=True, slots=True)
class Details:
    """What samples' own values tell."""

    distributions: list[Distribution]
    worst: list[Worst]
    correlations: list[Correlated]


def details(scored: Scored) -> Details:
    """Of metrics that have values for samples: the distribution of each score; the worst samples
    and the correlations of the score that stands for the metric. Where values are all the same, or
    neither high nor low is better, no sample is worse than others."""
    distributions: list[Distribution] = []
    worst: list[Worst] = []
    mains: dict[str, Floats] = {}
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
                mains[main if main not in mains else f"{metric.name}.{main}"] = values
    pairs = combinations(list(mains)[:MOST_CORRELATED], 2)
    return Details(distributions, worst, [_correlated(a, b, mains[a], mains[b]) for a, b in pairs])


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


def _correlated(a: str, b: str, first: Floats, second: Floats) -> Correlated:
    both = np.isfinite(first) & np.isfinite(second)
    n = int(both.sum())
    if n < LEAST:
        return Correlated(a, b, n, None, None)
    x, y = first[both], second[both]
    with np.errstate(over="ignore", invalid="ignore"):
        found = [float(of(x, y)) for of in (spearman, pearson)]
    ranked, linear = (one if np.isfinite(one) else None for one in found)
    return Correlated(a, b, n, ranked, linear)
