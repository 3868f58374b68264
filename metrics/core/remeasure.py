"""A part of an evaluation measured again, and what came out otherwise.

Which samples are drawn depends on the seed and their number alone, so that anybody draws the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import ReportedError
from inference.protocol import Models
from metrics.core.evidence import FLAG, NOTES, Column, Evidence
from metrics.core.measure import items_of, measure, passing
from metrics.core.metric import BoundMetric, Sample
from metrics.core.rows import Floats, Ints

# Of what a model says, whose numbers depend on what else is in the batch: relative to the number,
# of numbers below one absolute. For bfloat16 and float16 it is four steps of bfloat16; for float32
# far more than a step, since errors add up over a text's tokens
TOLERANCES = {"float32": 2.0**-10, "bfloat16": 2.0**-6, "float16": 2.0**-6}

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Remeasured:
    """What measuring some samples again showed of one metric.

    checked   indices of the samples that could be compared
    unlike    those of them that came out otherwise
    unstable  samples left out: an output of theirs hung on the machine's load, then or now
    stored, fresh  (checked, S) their own values, where the metric has such; None otherwise
    largest   the largest difference between two numbers of the evidence, 0 where all are equal
    """

    checked: Ints
    unlike: Ints
    unstable: int
    largest: float
    stored: Floats | None
    fresh: Floats | None


def draw(size: int, fraction: float, seed: int) -> Ints:
    """Sorted indices of a random part of `size` samples: one at least, for a fraction above 0."""
    count = min(size, ceil(size * fraction - 1e-9))
    return np.sort(np.random.default_rng(seed).permutation(size)[:count]).astype(np.int64)


def remeasure(
    metric: BoundMetric,
    samples: Sequence[Sample],
    evidence: Evidence,
    chosen: Ints,
    models: Models,
    progress: Callable[[int], None] | None = None,
) -> Remeasured:
    """Measure the `chosen` of all `samples` again, and compare with their stored evidence.

    Evidence of metrics without a model has to be equal; with one, within `tolerance`.
    """
    counts = np.array([len(sample.outputs) for sample in samples], np.int64)
    if int(counts.sum()) != len(evidence):
        raise ReportedError(f"evidence of {len(evidence)} outputs, and there are {counts.sum()}")
    ends = np.cumsum(counts)
    own = [np.arange(ends[index] - counts[index], ends[index]) for index in chosen.tolist()]
    places = np.concatenate([np.zeros(0, np.int64), *own]).astype(np.int64)
    items, unit = items_of([samples[index] for index in chosen.tolist()])
    before = evidence.take(places)
    after = measure(metric, items, models, progress=progress)
    unlike, largest = compare(before, after, tolerance(metric))
    unstable = passing(metric, before) | passing(metric, after)
    shaky = np.zeros(len(chosen), np.bool_)
    shaky[unit[unstable]] = True
    shaky |= counts[chosen] == 0
    wrong = np.zeros(len(chosen), np.bool_)
    wrong[unit[unlike & ~unstable]] = True
    left = np.flatnonzero(~shaky)
    return Remeasured(
        checked=chosen[left],
        unlike=chosen[wrong & ~shaky],
        unstable=int(shaky.sum()),
        largest=largest,
        stored=_values(metric, before, unit, left),
        fresh=_values(metric, after, unit, left),
    )


def tolerance(metric: BoundMetric) -> float:
    """By how much two measurements may differ; 0 where no model has a part."""
    if not metric.models:
        return 0.0
    return TOLERANCES.get(str(getattr(metric.params, "dtype", "float32")), TOLERANCES["bfloat16"])


def compare(before: Evidence, after: Evidence, allowed: float) -> tuple[Mask, float]:
    """(n_items,) which items' evidence differs, and the largest difference of two numbers."""
    unlike = np.zeros(len(before), np.bool_)
    largest = 0.0
    for name in {*before.columns, *after.columns} - {NOTES}:
        one, other = (_column(part, name) for part in (before, after))
        if one is None or other is None:
            return np.ones(len(before), np.bool_), float("inf")
        lengths, others = one.sizes, other.sizes
        alike = np.flatnonzero(lengths == others)
        unlike[lengths != others] = True
        left, right = (column.take(alike).values for column in (one, other))
        gaps = _gaps(left, right)
        if not gaps.size:
            continue
        size = np.maximum(np.abs(left.astype(np.float64)), 1.0)
        far = gaps > allowed * np.where(np.isfinite(size), size, 1.0)
        flat = far.reshape(len(far), -1).any(1)
        unlike[np.repeat(alike, lengths[alike])[flat]] = True
        largest = max(largest, float(gaps.max()))
    return unlike, largest


def rate(unlike: int, checked: int, of: int, level: float = 0.95) -> tuple[float, float] | None:
    """Wilson's interval of the share of samples that differ; no width where all were checked."""
    if not checked:
        return None
    share = unlike / checked
    if checked >= of:
        return share, share
    z = NormalDist().inv_cdf(0.5 + level / 2)
    centre = (share + z * z / (2 * checked)) / (1 + z * z / checked)
    half = z * sqrt(share * (1 - share) / checked + z * z / (4 * checked**2))
    half /= 1 + z * z / checked
    return min(max(0.0, centre - half), share), max(min(1.0, centre + half), share)


def _gaps(left: NDArray[Any], right: NDArray[Any]) -> Floats:
    """Differences of like-shaped numbers; none between two NaN or equal infinities, and integers
    above 2**53 that are unlike are 1 apart at least."""
    if left.shape != right.shape:
        return np.full(len(left), np.inf)
    same = left == right
    if left.dtype.kind == "f" and right.dtype.kind == "f":
        same |= np.isnan(left) & np.isnan(right)
    with np.errstate(invalid="ignore"):
        gaps = np.abs(left.astype(np.float64) - right.astype(np.float64))
    whole = left.dtype.kind in "biu" and right.dtype.kind in "biu"
    gaps = np.maximum(gaps, 1.0) if whole else np.where(np.isnan(gaps), np.inf, gaps)
    return np.where(same, 0.0, gaps)


def _column(part: Evidence, name: str) -> Column | None:
    return part.columns.get(name) or (
        Column(np.zeros(len(part), np.uint8)) if name == FLAG else None
    )


def _values(metric: BoundMetric, evidence: Evidence, unit: Ints, left: Ints) -> Floats | None:
    """(len(left), S) the samples' own values; None where a sample alone has none."""
    if metric.set_level or not len(evidence):
        return None
    try:
        rows = metric.settle(evidence, unit).rows
        if len(rows) <= int(left.max(initial=-1)):
            return None
        return np.asarray(metric.per_sample(rows[left]), np.float64)
    except (ReportedError, ValueError, ArithmeticError):
        return None
