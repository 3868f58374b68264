"""Many systems at once: which of their differences are real, and which ranks that leaves open.

Sources: Holm (1979), "A simple sequentially rejective multiple test procedure"; rank intervals as
Mogstad, Romano, Shaikh & Wilhelm (2024), "Inference for ranks with applications to mobility across
neighbourhoods", from familywise-corrected pairwise tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.weights import Floats


@dataclass(frozen=True, slots=True)
class Ranks:
    """What the tests leave open.

    rank         (N,) by value, equal values sharing the better one, incomplete systems last
    best, worst  (N,) the ranks that the significant differences leave open
    band         (N,) from 1: a new one starts with the first system, in the order of the ranks,
                 that is significantly worse than the first of the last one
    p_values     (N, N) corrected, of each pair, NaN where there is no verdict
    """

    rank: NDArray[np.int64]
    best: NDArray[np.int64]
    worst: NDArray[np.int64]
    band: NDArray[np.int64]
    p_values: Floats

    def interval(self, at: int) -> tuple[int, int]:
        """The best and the worst rank of one system."""
        return int(self.best[at]), int(self.worst[at])


def holm(p_values: Floats) -> Floats:
    """(m,) Holm's adjusted p-values; comparing them with alpha keeps the familywise error.

    NaN (no test was possible) stays NaN and does not count among the comparisons.
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    steps = p_values[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def holm_pairs(p_values: Floats) -> Floats:
    """(N, N) Holm's adjusted p-values of all pairs of N systems; NaN on the diagonal."""
    upper = np.triu_indices(len(p_values), 1)
    adjusted = np.full_like(p_values, np.nan)
    adjusted[upper] = holm(p_values[upper])
    adjusted.T[upper] = adjusted[upper]
    return adjusted


def ranks(
    values: Floats,
    p_values: Floats,
    *,
    differences: Floats | None = None,
    incomplete: NDArray[np.bool_] | None = None,
    higher_is_better: bool = True,
    alpha: float = 0.05,
    correct: Callable[[Floats], Floats] = holm_pairs,
) -> Ranks:
    """Rank intervals of N systems from their pairwise p-values (N, N), which are corrected here.

    The p-values should be those of `many.covariance_test`: counted ones of 1,000 replicates are at
    least 0.001, and among 11 systems' 55 pairs none of those could survive the correction. NaN
    where no test was possible.

    differences  (N, N) what was tested: [i, j] is i less j, over the units that both have; by
                 default, of the values
    incomplete   (N,) systems without a value on units on which others have one. Which units those
                 are may be the system's choice, so it is called better than nobody; others may be
                 called better than it.
    correct      for the number of tests: (N, N) -> (N, N); `np.copy` where they are corrected

    best = 1 + number of systems significantly better; worst = N - number significantly worse. With
    probability 1 - alpha all intervals contain their system's true rank at once.
    """
    if not np.isfinite(values).all():
        raise ValueError("only systems with a value can be ranked")
    n = len(values)
    corrected = correct(p_values)
    sign = 1.0 if higher_is_better else -1.0
    last = np.zeros(n, np.bool_) if incomplete is None else incomplete
    gaps = values[:, None] - values[None, :] if differences is None else differences
    ahead = sign * gaps < 0  # [i, j]: j is better than i
    withheld = ahead & last[None, :]
    corrected[withheld | withheld.T] = np.nan
    significant = ahead & (np.nan_to_num(corrected, nan=1.0) <= alpha)
    rank = _places(sign * values, last)
    return Ranks(
        rank=rank,
        best=1 + significant.sum(1),
        worst=n - significant.sum(0),
        band=bands(rank, lambda at, first: bool(significant[at, first])),
        p_values=corrected,
    )


def ranks_apart(
    values: Floats,
    low: Floats,
    high: Floats,
    level: float,
    *,
    incomplete: NDArray[np.bool_] | None = None,
    higher_is_better: bool = True,
    alpha: float = 0.05,
) -> Ranks:
    """Rank intervals of very many systems from their own intervals (N,), with no pair looked at.

    Each half of an interval at `level`, in normal deviates, is an error. The error of a difference
    is no more than the sum of both, whatever the systems share, so two systems differ where their
    intervals, widened for all pairs (Bonferroni), do not touch: wider than `ranks` has them, and
    N log N. No p-values. NaN bounds: nothing is said of that system.
    """
    n = len(values)
    sign = 1.0 if higher_is_better else -1.0
    last = np.zeros(n, np.bool_) if incomplete is None else incomplete
    pairs = max(1, n * (n - 1) // 2)
    wider = NormalDist().inv_cdf(alpha / 2 / pairs) / NormalDist().inv_cdf(0.5 - level / 2)
    ends = [values + wider * (end - values) for end in (low, high)]
    floor, ceiling = (sign * end for end in (ends if higher_is_better else ends[::-1]))
    said = np.isfinite(floor) & np.isfinite(ceiling)
    floor, ceiling = np.where(said & ~last, floor, np.nan), np.where(said, ceiling, np.nan)
    floors, ceilings = np.sort(floor[said & ~last]), np.sort(ceiling[said])
    better = len(floors) - np.searchsorted(floors, ceiling, side="right")
    worse = np.searchsorted(ceilings, floor, side="left")
    rank = _places(sign * values, last)
    return Ranks(
        rank=rank,
        best=1 + np.where(said, better, 0),
        worst=n - np.where(said & ~last, worse, 0),
        band=bands(rank, lambda at, first: bool(ceiling[at] < floor[first])),
        p_values=np.full((0, 0), np.nan),
    )


def bands(rank: NDArray[np.int64], worse: Callable[[int, int], bool]) -> NDArray[np.int64]:
    """(N,) which tie band each system is in, from 1; see `Ranks`.

    worse  whether the first of two systems is significantly worse than the second
    """
    found = np.empty(len(rank), np.int64)
    first, number = -1, 0
    for at in np.argsort(rank, kind="stable").tolist():
        if first < 0 or worse(at, first):
            first, number = at, number + 1
        found[at] = number
    return found


def _places(worth: Floats, last: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(N,) ranks from 1: the highest first, those in `last` behind the others; equal ones share the
    better place."""
    order = np.lexsort((-worth, last))
    worth, last = worth[order], last[order]
    new = np.r_[True, (worth[1:] != worth[:-1]) | (last[1:] != last[:-1])][: len(order)]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.maximum.accumulate(np.where(new, np.arange(1, len(order) + 1), 0))
    return rank


def chances_of_first(replicates: Floats, higher_is_better: bool = True) -> Floats:
    """(N,) the share of the (R, N) replicates in which each system has the best value.

    Equal ones share a replicate. A system without a value in a replicate is not first in it; NaN
    where no replicate has a value.
    """
    worth = np.where(
        np.isfinite(replicates), replicates if higher_is_better else -replicates, -np.inf
    )
    best = worth.max(1, keepdims=True, initial=-np.inf)
    first = (worth == best) & np.isfinite(best)
    held = first.sum(1)
    shares = first[held > 0] / held[held > 0, None]
    return shares.mean(0) if len(shares) else np.full(replicates.shape[1], np.nan)
