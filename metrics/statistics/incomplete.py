"""Tests between systems that have no value on different units: each pair over what both have.

    rows        N of (n, C)  each system's rows over the same units, zero where it has no value
    counted     (N, n)       which units a system has a value on
    influences  (N, n)       how a unit moves a system's value; zero where it has none

The difference of a pair is exact: both values are computed again over the units that both have, all
pairs at once by products of matrices. Its error is the delta method's: over those units the value
moves by the mean of the influences, which the jackknife gives. Student's t with n - 1 degrees of
freedom. Nobody gains by leaving units out, but which units two systems share may be the choice of
either: who calls whom better is for the caller to say.

Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", ch. 11 and 21.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.clusters import Clusters
from metrics.statistics.influence import Reduce
from metrics.statistics.many import Pairwise, differences_of, two_sided
from metrics.statistics.resampling import evaluate, left_out
from metrics.statistics.weights import Floats, totals

Mask = NDArray[np.bool_]


def shared_values(rows: Sequence[Floats], counted: Mask, reduce: Reduce) -> Floats:
    """(N, N, S) the value of system i over the units that both i and j have."""
    there = counted.astype(np.float64)
    columns = rows[0].shape[1]
    sums = np.empty((len(rows), len(rows), columns))
    for column in range(columns):
        # zero where a system has no value: only what the other lacks is left to take out
        sums[:, :, column] = np.stack([one[:, column] for one in rows]) @ there.T
    return evaluate(reduce, sums)


def influences(rows: Floats, counted: NDArray[np.bool_], reduce: Reduce) -> Floats:
    """(n, S) by how much each unit moves the value, times n; zero for units without a value.

    Their mean is zero, and their variance over n is the jackknife's of the value.
    """
    own = rows[counted]
    left, _ = left_out(own, np.arange(len(own), dtype=np.uint64), reduce, None, grouped=False)
    found = np.zeros((len(rows), left.shape[1]))
    found[counted] = (len(own) - 1) * (left.mean(0) - left)
    return found


def common_test(
    values: Floats, moved: Floats, counted: Mask, together: Clusters | None = None
) -> Pairwise:
    """All pairs over the units that both have.

    values    (N, N) of system i over the units that i and j have
    moved     (N, n) the influences
    together  of the n units; what is drawn are these clusters, and `units` of the result are theirs
    """
    there = counted.astype(np.float64)
    n = there @ there.T  # (N, N) units in common
    groups, spread = (
        _spread(moved, there, n) if together is None else _pooled(moved, there, n, together)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.sqrt(np.maximum(spread, 0.0) * groups / (groups - 1)) / n
    differences, _ = differences_of(values, values.T)
    p_values = two_sided(differences, errors, groups)
    np.fill_diagonal(p_values, np.nan)
    return Pairwise(differences, errors, p_values, groups)


def _spread(moved: Floats, there: Floats, n: Floats) -> tuple[Floats, Floats]:
    """(N, N) units in common, and the sum of squares of the centred differences of influences."""
    sums = moved @ there.T  # of i's influences over what j has, too
    squares = moved**2 @ there.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return n, squares + squares.T - 2 * moved @ moved.T - (sums - sums.T) ** 2 / n


def _pooled(moved: Floats, there: Floats, n: Floats, together: Clusters) -> tuple[Floats, Floats]:
    """The same of clusters, a system at a time against all."""
    groups, spread = np.empty_like(n), np.empty_like(n)
    for one in range(len(moved)):
        both = there * there[one]  # (N, n)
        gaps = (moved - moved[one]) * both
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps -= both * (gaps.sum(1) / n[one])[:, None]
        groups[one] = (together.pooled(both.T) > 0).sum(0)
        spread[one] = (together.pooled(gaps.T) ** 2).sum(0)
    return groups, spread


def value_in_common(rows: Floats, common: NDArray[np.bool_], reduce: Reduce) -> Floats:
    """(S,) the value over the units in `common` (n,) alone; NaN where there are none."""
    if not common.any():
        return np.full(len(evaluate(reduce, totals(rows))), np.nan)
    return evaluate(reduce, totals(rows[common]))


def extremes(value: float, n: int, absent: int, low: float, high: float) -> tuple[float, float]:
    """A mean of n values between `low` and `high`, were the absent ones all the least or all the
    greatest: whatever they would have been, the mean lies between."""
    return (
        (n * value + absent * low) / (n + absent),
        (n * value + absent * high) / (n + absent),
    )
