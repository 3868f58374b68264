"""All pairs at once: the same as pair by pair, its size by simulation, its edges."""

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from metrics.statistics.many import benjamini_hochberg, covariance_test, two_sided
from metrics.statistics.paired import from_replicates
from metrics.statistics.weights import Floats


def drawn(seed: int, systems: int = 6) -> tuple[Floats, Floats]:
    """Values and replicates; the last two systems are one, the two before nearly."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=systems)
    replicates = values + 0.3 * rng.normal(size=(1000, systems))
    values[-1], replicates[:, -1] = values[-2], replicates[:, -2]
    replicates[:, -3] = replicates[:, -4] + 1e-9 * rng.normal(size=1000)
    return values, replicates


@pytest.mark.parametrize("incomplete", [False, True])
def test_as_pair_by_pair(incomplete: bool) -> None:
    values, replicates = drawn(0)
    if incomplete:
        replicates[0, 0] = replicates[3, 1] = np.nan
    found = covariance_test(values, replicates, 300, tail="normal")
    for i in range(6):
        for j in range(6):
            if i == j:
                assert np.isnan(found.p_values[i, j])
                continue
            sides = replicates[:, [i]], replicates[:, [j]]
            (want,) = from_replicates(*sides, values[[i]], values[[j]], units=300)
            assert found.differences[i, j] == want.value
            assert found.errors[i, j] == pytest.approx(want.error, rel=1e-7)
            tail = 2 * scipy.stats.norm.sf(abs(want.value) / want.error) if want.value else 1.0
            assert found.p_values[i, j] == pytest.approx(tail, rel=1e-6)
    assert found.p_values[-1, -2] == 1.0


def test_tails_are_scipys() -> None:
    statistic = np.array([0.0, 0.3, 2.0, 9.0, 60.0])
    ones = np.ones(5)
    t = two_sided(statistic, ones, 500)
    assert t == pytest.approx(2 * scipy.stats.t.sf(statistic, 499), rel=1e-9)
    normal = two_sided(statistic, ones, 5000, tail="normal")
    assert normal[:4] == pytest.approx(2 * scipy.stats.norm.sf(statistic[:4]), rel=1e-9)
    assert normal[4] > 0  # no p-value is shown as 0
    assert two_sided(statistic, ones, 3)[4] == 0.25  # three pairs show no more
    assert np.isnan(two_sided(statistic, ones, 1)).all()
    assert np.isnan(two_sided(np.array([1.0]), np.array([np.nan]), 9)).all()


@pytest.mark.parametrize("n", [10, 20, 50])
def test_size(n: int) -> None:
    """Rejections of true nulls at 5%, 28 pairs of each of 100 sets: never more than 6.5%."""
    rng = np.random.default_rng(n)
    rejected = []
    for _ in range(100):
        rows = rng.normal(size=(n, 8)) + rng.normal(size=(n, 1))
        weights = rng.poisson(1.0, (400, n)).astype(float)
        with np.errstate(invalid="ignore"):  # a draw of nobody
            replicates = (weights @ rows) / weights.sum(1)[:, None]
        found = covariance_test(rows.mean(0), replicates, n)
        rejected.append(found.p_values[np.triu_indices(8, 1)] <= 0.05)
    assert 2 <= 100 * np.mean(rejected) <= 6.5


def test_a_system_without_a_value_has_no_verdict() -> None:
    values, replicates = drawn(1)
    values[2], replicates[:, 2] = np.nan, np.nan
    found = covariance_test(values, replicates, 50)
    assert np.isnan(found.p_values[2]).all()
    assert np.isfinite(found.p_values[0, 1])


def test_benjamini_hochberg_is_statsmodels() -> None:
    p_values = np.random.default_rng(0).random(40) ** 3
    assert benjamini_hochberg(p_values) == pytest.approx(multipletests(p_values, 0.05, "fdr_bh")[1])
    with_none = np.insert(p_values, 3, np.nan)
    found = benjamini_hochberg(with_none)
    assert np.isnan(found[3])
    assert np.delete(found, 3).tolist() == benjamini_hochberg(p_values).tolist()
    assert len(benjamini_hochberg(np.zeros(0))) == 0
