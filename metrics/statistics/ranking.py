"""Many systems at once: which of their differences are real, and which ranks that leaves open.

Sources: Holm (1979), "A simple sequentially rejective multiple test procedure"; rank intervals as
Mogstad, Romano, Shaikh & Wilhelm (2024), "Inference for ranks with applications to mobility across
neighbourhoods", from familywise-corrected pairwise tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.weights import Floats


@dataclass(frozen=True, slots=True)
class Ranks:
    """rank (N,) by value, equal values sharing the better one, incomplete systems last; best, worst
    (N,) the ranks that the significant differences leave open; p_values (N, N) corrected, of each
    pair, NaN where there is no verdict."""

    rank: NDArray[np.int64]
    best: NDArray[np.int64]
    worst: NDArray[np.int64]
    p_values: Floats


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


def ranks(
    values: Floats,
    p_values: Floats,
    *,
    differences: Floats | None = None,
    incomplete: NDArray[np.bool_] | None = None,
    higher_is_better: bool = True,
    alpha: float = 0.05,
) -> Ranks:
    """Rank intervals of N systems from their pairwise p-values (N, N), which are corrected here.

    The p-values should be `Difference.p_normal`: counted ones of 1,000 replicates are at least
    0.001, and among 11 systems' 55 pairs none of those could survive the correction. NaN where no
    test was possible.

    differences  (N, N) what was tested: [i, j] is i less j, over the units that both have; by
                 default, of the values
    incomplete   (N,) systems without a value on units on which others have one. Which units those
                 are may be the system's choice, so it is called better than nobody; others may be
                 called better than it.

    best = 1 + number of systems significantly better; worst = N - number significantly worse. With
    probability 1 - alpha all intervals contain their system's true rank at once.
    """
    if not np.isfinite(values).all():
        raise ValueError("only systems with a value can be ranked")
    n = len(values)
    upper = np.triu_indices(n, 1)
    corrected = np.full((n, n), np.nan)
    corrected[upper] = holm(p_values[upper])
    corrected.T[upper] = corrected[upper]
    sign = 1.0 if higher_is_better else -1.0
    last = np.zeros(n, np.bool_) if incomplete is None else incomplete
    gaps = values[:, None] - values[None, :] if differences is None else differences
    ahead = sign * gaps < 0  # [i, j]: j is better than i
    withheld = ahead & last[None, :]
    corrected[withheld | withheld.T] = np.nan
    significant = ahead & (np.nan_to_num(corrected, nan=1.0) <= alpha)
    worth = sign * values
    before = np.where(last[:, None] == last, worth[None, :] > worth[:, None], last[:, None])
    return Ranks(
        rank=1 + before.sum(1),
        best=1 + significant.sum(1),
        worst=n - significant.sum(0),
        p_values=corrected,
    )
