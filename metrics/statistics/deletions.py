"""Many systems by the jackknife: what leaving out a group of units moves, for all systems at once.

    moved  (G, N)  deviations (`paired_jackknife.leaving_out`): the variance of a value is the sum
                   of a column's squares, that of a difference the sum of squares of the difference
                   of two columns

The same numbers as `paired_jackknife` pair by pair, in some products of matrices.
"""

from __future__ import annotations

import numpy as np

from metrics.statistics.many import Pairwise, differences_of, two_sided
from metrics.statistics.paired_jackknife import MOST_EXCESS
from metrics.statistics.weights import Floats, Keys, weighted_sums


def deletion_test(
    values: Floats, moved: Floats, added: Floats, excess: Floats | None = None
) -> Pairwise:
    """All pairs.

    added   (N,) what each value's variance has beside the jackknife's
    excess  (N, N) what the jackknife's variance of a difference has too much, as a share of it
    """
    variances = between(moved)
    if excess is not None:
        variances *= 1 - np.clip(np.nan_to_num(excess), 0.0, MOST_EXCESS)
    errors = np.sqrt(variances + added[:, None] + added[None, :])
    differences, _ = differences_of(values[:, None], values[None, :])
    p_values = two_sided(differences, errors, len(moved))
    np.fill_diagonal(p_values, np.nan)
    return Pairwise(differences, errors, p_values, np.full_like(errors, len(moved)))


def between(columns: Floats) -> Floats:
    """(N, N) the sums of squares of the differences of two of (M, N) columns."""
    product = columns.T @ columns
    own = np.diag(product)
    return np.maximum(own[:, None] + own[None, :] - 2 * product, 0.0)


def excess_by_pairs(drawn: Floats, moved: Floats) -> Floats:
    """(N, N) see `paired_jackknife.excess_of`, from each system's second differences (M, N)."""
    n = len(moved)
    second = between(drawn) / len(drawn) * n * (n - 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(second / between(moved), np.float64)


def excess_by_count(shared: Floats, moved: Floats) -> Floats:
    """(N, N) from what `settle` counted of each system (N,), as a share of their variances."""
    own = (moved**2).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            (shared[:, None] + shared[None, :]) / (own[:, None] + own[None, :]), np.float64
        )


def linear_replicates(
    values: Floats, moved: Floats, added: Floats, keys: Keys, *, seed: int, replicates: int
) -> Floats:
    """(R, N) values as they would move under the bootstrap's weights of the groups (G,), were they
    linear: paired draws with the jackknife's covariance, for statistics that must not be resampled.
    """
    drawn = values + weighted_sums(moved, keys, seed, replicates) - moved.sum(0)
    chance = np.random.default_rng(seed)
    return np.asarray(drawn + np.sqrt(added) * chance.standard_normal(drawn.shape), np.float64)
