"""Romano and Wolf's step-down: p-values of all pairs, adjusted by how the pairs hang together.

Holm's adjustment holds whatever the dependence, and pays for it. Here the largest of the
studentised differences is looked up in replicates of the same systems, where pairs of like systems
move together: it rejects about as much or more, and keeps the familywise error as n grows.

    values      (N,)    of N systems over the same units
    replicates  (R, N)  their values in the same R draws of the units

1. t = |difference| / error of each pair; t_r = |difference_r - its mean| / error of each replicate.
2. From the largest t down: p = (1 + how many replicates' largest t_r, of this pair and those below,
   is at least t) / (R + 1).
3. No p is smaller than that of a larger t.

A small set's t has heavier tails than its replicates show: it is compared as the normal deviate
that is as rare as itself under Student's t with n - 1 degrees of freedom.

Source: Romano & Wolf (2005), "Exact and approximate stepdown methods for multiple hypothesis
testing"; (2016), "Efficient computation of adjusted p-values for resampling-based stepdown multiple
testing".
"""

from __future__ import annotations

import numpy as np

from metrics.statistics.many import Pairwise, deviations_between
from metrics.statistics.weights import Floats

CELLS = 4_000_000  # of replicated differences looked at at a time


def step_down(found: Pairwise, replicates: Floats) -> Floats:
    """(N, N) the adjusted p-values of the pairs that `found` tests; NaN where it has none.

    Replicates that lack the value of a system that is tested are left out.
    """
    upper = np.triu_indices(len(found.p_values), 1)
    known = np.isfinite(found.p_values[upper])
    left, right = upper[0][known], upper[1][known]
    adjusted = np.full_like(found.p_values, np.nan)
    if not len(left):
        return adjusted
    tested = np.zeros(len(adjusted), np.bool_)
    tested[left] = tested[right] = True
    drawn = replicates[np.isfinite(replicates[:, tested]).all(1)]
    centred = drawn - drawn.mean(0)
    deviates = _deviates(found.p_values[left, right])
    order = np.argsort(-deviates, kind="stable")
    left, right, deviates = left[order], right[order], deviates[order]
    errors = deviations_between(drawn)[left, right]
    scale = np.divide(1.0, errors, out=np.zeros_like(errors), where=errors > 0)
    beyond = np.zeros(len(left))
    step = max(1, CELLS // len(left))
    for start in range(0, len(centred), step):
        part = centred[start : start + step]
        moved = np.abs((part[:, left] - part[:, right]) * scale)  # (r, pairs), largest t first
        highest = np.maximum.accumulate(moved[:, ::-1], axis=1)[:, ::-1]
        beyond += (highest >= deviates).sum(0)
    p_values = np.maximum.accumulate((1 + beyond) / (len(centred) + 1))
    adjusted[left, right] = adjusted[right, left] = np.minimum(p_values, 1.0)
    return adjusted


def _deviates(p_values: Floats) -> Floats:
    """The normal deviates with these two-sided p-values."""
    from scipy.special import ndtri

    return np.abs(np.asarray(ndtri(p_values / 2), np.float64))
