"""Many systems by the jackknife: all pairs of N by what leaving out a group of units moves.

The same numbers as `paired_jackknife` pair by pair, in some products of matrices.
"""

from __future__ import annotations

import numpy as np

from metrics.statistics.many import Pairwise, differences_of, two_sided
from metrics.statistics.paired_jackknife import Deleted, slopes, spread
from metrics.statistics.weights import Floats, Keys, weighted_sums


def deletion_test(systems: Deleted) -> Pairwise:
    """All pairs of systems, a value (N,) each."""
    one, other = systems.map(lambda x: x[..., :, None]), systems.map(lambda x: x[..., None, :])
    slope, _ = slopes(one, other)  # of the first of a pair; that of the second is its transpose
    second = None
    if systems.second is not None:
        second = _between(systems.second, slope) / len(systems.second)
    errors, freedom = spread(one, other, _between(systems.moved, slope), second)
    differences, _ = differences_of(one.value, other.value)
    p_values = two_sided(differences, errors, len(systems.moved), freedom)
    np.fill_diagonal(p_values, np.nan)
    return Pairwise(differences, errors, p_values, np.full_like(errors, len(systems.moved)))


def _between(columns: Floats, slope: Floats) -> Floats:
    """(N, N) the sums of squares of the differences of two of (M, N) columns, each multiplied by
    its slope (N, N) beside the other."""
    product = columns.T @ columns
    own = slope**2 * np.diag(product)[:, None]
    return np.maximum(own + own.T - 2 * slope * slope.T * product, 0.0)


def linear_replicates(systems: Deleted, keys: Keys, *, seed: int, replicates: int) -> Floats:
    """(R, N) values as they would move under the bootstrap's weights of the groups (G,), were they
    linear: paired draws with the jackknife's covariance, for statistics that must not be resampled.
    """
    moved = systems.moved
    drawn = systems.value + weighted_sums(moved, keys, seed, replicates) - moved.sum(0)
    chance = np.random.default_rng(seed).standard_normal(drawn.shape)
    return np.asarray(drawn + np.sqrt(systems.variance) * chance, np.float64)
