"""Clusters: their rows, and what they do to a variance."""

import numpy as np

from metrics.statistics.clusters import clusters, variances
from metrics.statistics.weights import Floats


def mean(sums: Floats) -> Floats:
    return sums[..., :1] / sums[..., 1:]


def test_rows_of_a_cluster_are_added_up() -> None:
    found = clusters(["b", "a", "b", "c"])
    assert found.names == ("b", "a", "c")
    np.testing.assert_array_equal(
        found.pooled(np.array([[1.0], [2.0], [4.0], [8.0]])), [[5.0], [2.0], [8.0]]
    )


def test_units_of_their_own_are_left_as_they_are() -> None:
    rows = np.arange(6.0).reshape(3, 2)
    assert clusters(["x", "y", "z"]).pooled(rows) is rows


def test_the_design_effect_is_kishs() -> None:
    """1 + (m − 1) ρ for clusters of m units that correlate by ρ."""
    rng = np.random.default_rng(0)
    documents, each, share = 2000, 10, 0.3
    common = np.repeat(rng.normal(0, np.sqrt(share), documents), each)
    values = common + rng.normal(0, np.sqrt(1 - share), documents * each)
    rows = np.stack([values, np.ones_like(values)], 1)
    names = [str(at // each) for at in range(len(values))]
    assert abs(variances(rows, clusters(names), mean).effect[0] - (1 + 9 * share)) < 0.25


def test_clusters_that_say_nothing_have_no_effect() -> None:
    rng = np.random.default_rng(1)
    rows = np.stack([rng.normal(size=3000), np.ones(3000)], 1)
    names = [str(at % 300) for at in range(3000)]
    assert abs(variances(rows, clusters(names), mean).effect[0] - 1) < 0.2


def test_equal_values_have_no_design_effect() -> None:
    rows = np.ones((20, 2))
    assert np.isnan(variances(rows, clusters([str(at // 2) for at in range(20)]), mean).effect[0])
