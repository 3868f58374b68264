"""Many systems by the jackknife: what leaving out a group of units moves, for all systems at once.

    moved  (G, N)  deviations: the variance of a value is the sum of a column's squares, that of a
                   difference the sum of squares of the difference of two columns

The same numbers as `paired_jackknife` pair by pair, in one product of matrices.
"""

from __future__ import annotations

import numpy as np

from metrics.statistics.many import Pairwise, differences_of, two_sided
from metrics.statistics.weights import Floats, Keys, weighted_sums


def deviations(values: Floats, left: Floats, sizes: Floats) -> Floats:
    """(G, S) from the values (S,) and those left (G, S) without groups of the given sizes (G,).

    NaN with fewer than two groups; see `intervals.delete_variance`, whose root terms these are.
    """
    groups, n = len(sizes), sizes.sum()
    if groups < 2:
        return np.full(left.shape, np.nan)
    shares = (n / sizes)[:, None]
    pseudo = shares * values - (shares - 1) * left
    centre = groups * values - ((1 - sizes / n)[:, None] * left).sum(0)
    return np.asarray((pseudo - centre) / np.sqrt((shares - 1) * groups), np.float64)


def deletion_test(values: Floats, moved: Floats, added: Floats) -> Pairwise:
    """All pairs; `added` (N,) is what each value's variance has beside the jackknife's."""
    product = moved.T @ moved
    own = np.diag(product)
    variances = own[:, None] + own[None, :] - 2 * product + added[:, None] + added[None, :]
    errors = np.sqrt(np.maximum(variances, 0.0))
    differences, _ = differences_of(values[:, None], values[None, :])
    p_values = two_sided(differences, errors, len(moved))
    np.fill_diagonal(p_values, np.nan)
    return Pairwise(differences, errors, p_values, np.full_like(errors, len(moved)))


def linear_replicates(
    values: Floats, moved: Floats, added: Floats, keys: Keys, *, seed: int, replicates: int
) -> Floats:
    """(R, N) values as they would move under the bootstrap's weights of the groups (G,), were they
    linear: paired draws with the jackknife's covariance, for statistics that must not be resampled.
    """
    drawn = values + weighted_sums(moved, keys, seed, replicates) - moved.sum(0)
    chance = np.random.default_rng(seed)
    return np.asarray(drawn + np.sqrt(added) * chance.standard_normal(drawn.shape), np.float64)
