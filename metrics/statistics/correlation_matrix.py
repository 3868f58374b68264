"""How far each two of several numbers agree, all at once: Pearson or Spearman, with intervals.

The numbers are those of `correlation`, which the tests hold them to. A column is sorted once: what
is left without a group is ranked by counting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.correlation import FEWEST, Correlation, Ints
from metrics.statistics.weights import Floats


@dataclass(frozen=True, slots=True)
class CorrelationMatrix:
    """Coefficients (M, M), between -1 and 1, and the ends of their intervals; NaN where there is
    none."""

    values: Floats
    low: Floats
    high: Floats

    def at(self, row: int, column: int) -> Correlation:
        """One of them, None where there is none."""
        value, low, high = (float(one[row, column]) for one in (self.values, self.low, self.high))
        interval = (low, high) if np.isfinite(low) and np.isfinite(high) else None
        return Correlation(value if np.isfinite(value) else None, interval)


def correlation_matrix(
    columns: Floats, dealt: Ints, level: float = 0.95, *, ranked: bool
) -> CorrelationMatrix:
    """Of columns (M, n), finite; `dealt` (n,) is which group each unit belongs to.

    ranked  Spearman's, of ranks with ties at their mean; else Pearson's
    """
    from scipy.special import stdtrit

    numbers = ranker(columns) if ranked else lambda kept: columns[:, kept]
    values = _pearson(numbers(np.ones(len(dealt), np.bool_)))
    count = int(dealt.max(initial=-1)) + 1
    if count < FEWEST:
        return CorrelationMatrix(values, np.full_like(values, np.nan), np.full_like(values, np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.arctanh(np.stack([_pearson(numbers(dealt != one)) for one in range(count)]))
        error = np.sqrt((count - 1) / count * ((left - left.mean(0)) ** 2).sum(0))
        reach = float(stdtrit(count - 1, (1 + level) / 2)) * error
        low, high = (np.tanh(np.arctanh(values) + side * reach) for side in (-1, 1))
    unknown = ~np.isfinite(np.arctanh(np.where(np.abs(values) < 1, values, np.nan)) + error)
    low, high = np.minimum(low, values), np.maximum(high, values)
    return CorrelationMatrix(
        values, np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)
    )


def ranker(columns: Floats) -> Callable[[NDArray[np.bool_]], Floats]:
    """What ranks each column (M, n) among the units that a mask (n,) keeps, from 1, ties at their
    mean: (M, kept)."""
    order = columns.argsort(1)
    own, n = order.argsort(1), columns.shape[1]
    ordered = np.take_along_axis(columns, order, 1)
    edge = np.ones((len(columns), 1), np.bool_)
    new = np.hstack([edge, ordered[:, 1:] != ordered[:, :-1], edge])  # (M, n + 1)
    places = np.arange(n + 1)
    first = np.maximum.accumulate(np.where(new[:, :-1], places[:-1], 0), 1)
    behind = np.minimum.accumulate(np.where(new[:, 1:], places[1:], n)[:, ::-1], 1)[:, ::-1]
    first, behind = (np.take_along_axis(one, own, 1) for one in (first, behind))

    def ranks(kept: NDArray[np.bool_]) -> Floats:
        before = np.zeros((len(columns), n + 1))  # how many are kept before each place
        np.cumsum(kept[order], 1, out=before[:, 1:])
        ends = (np.take_along_axis(before, one[:, kept], 1) for one in (first, behind))
        return np.asarray((sum(ends) + 1) / 2, np.float64)

    return ranks


def _pearson(columns: Floats) -> Floats:
    """(M, M); NaN where either is constant."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        apart = columns - columns.mean(1, keepdims=True)
        length = np.sqrt((apart**2).sum(1))
        # what rounding leaves of a constant is no variation
        length[(np.ptp(columns, axis=1) == 0.0) | (length == 0.0)] = np.nan
        scaled = (apart @ apart.T) / np.outer(length, length)
        return np.asarray(np.clip(scaled, -1.0, 1.0), np.float64)
