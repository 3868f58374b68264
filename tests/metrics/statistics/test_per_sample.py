"""Tests of samples' own values: the numbers of scipy and statsmodels, and their sizes."""

import numpy as np
import pytest
import scipy.stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_table

from metrics.statistics.clusters import clusters
from metrics.statistics.per_sample import mcnemar, paired_t, wilcoxon


@pytest.mark.parametrize("n", [12, 40, 300])
def test_as_scipy(n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.gamma(2.0, size=(n, 5))
    b = a + rng.normal(0.05, 0.5, size=(n, 5))
    b[: n // 4, 1] = a[: n // 4, 1]  # zeros
    b[:, 2] = a[:, 2] + rng.integers(-2, 3, n)  # ties
    gaps = np.round(a - b, 12)
    t = paired_t(gaps)
    assert t.p_values == pytest.approx(scipy.stats.ttest_1samp(gaps, 0).pvalue, rel=1e-9)
    ranks = wilcoxon(gaps).p_values
    each = [scipy.stats.wilcoxon(one).pvalue for one in gaps.T]
    assert ranks == pytest.approx(each, rel=1e-9)


@pytest.mark.parametrize("n", [8, 60, 2000])
def test_mcnemar_as_statsmodels(n: int) -> None:
    rng = np.random.default_rng(n)
    right = rng.random((2, n, 3)) < [0.5, 0.6, 0.9]
    right[1, :, 2] = right[0, :, 2]
    a, b = right.astype(float)
    found = mcnemar(a - b)
    for pair in range(3):
        table = [
            [int(((a[:, pair] == x) & (b[:, pair] == y)).sum()) for y in (1, 0)] for x in (1, 0)
        ]
        want = mcnemar_of_table(table, exact=True).pvalue
        assert found.p_values[pair] == pytest.approx(want, rel=1e-9)
    assert found.p_values[2] == 1.0


def test_clustered_t_is_cluster_robust_least_squares() -> None:
    rng = np.random.default_rng(3)
    names = [str(int(one)) for one in rng.integers(0, 30, 400)]
    of = clusters(names)
    gaps = (rng.normal(size=30)[of.of] + rng.normal(size=400) + 0.3)[:, None]
    found = paired_t(gaps, of)
    by_cluster = {"cov_type": "cluster", "cov_kwds": {"groups": of.of}}
    fit = OLS(gaps[:, 0], np.ones(400)).fit(**by_cluster, use_t=True)
    errors = found.errors
    assert errors is not None
    assert float(errors[0]) == pytest.approx(float(fit.bse[0]), rel=1e-9)
    assert found.p_values[0] == pytest.approx(
        2 * scipy.stats.t.sf(abs(gaps.mean()) / errors[0], 29), rel=1e-9
    )


def test_sizes() -> None:
    """Of 2,000 true nulls at 5%: near it; McNemar's exact test stays below."""
    rng = np.random.default_rng(4)
    hard = rng.beta(2, 2, (100, 2000))
    hits = (rng.random((2, 100, 2000)) < hard).astype(float)
    gaps = hits[0] - hits[1]
    means = {test: 100 * np.mean(test(gaps).p_values <= 0.05) for test in (paired_t, wilcoxon)}
    assert all(3.5 <= one <= 6.5 for one in means.values())
    assert 1.5 <= 100 * np.mean(mcnemar(gaps).p_values <= 0.05) <= 5
    names = clusters([str(i // 5) for i in range(200)])
    shared = rng.normal(size=(40, 2000))[names.of]
    alike = shared + rng.normal(size=(200, 2000))
    assert 100 * np.mean(paired_t(alike).p_values <= 0.05) > 15  # clusters ignored
    for test in (paired_t, wilcoxon):
        assert 3.5 <= 100 * np.mean(test(alike, names).p_values <= 0.05) <= 6.5


def test_equal_systems_do_not_differ() -> None:
    for test in (paired_t, wilcoxon, mcnemar):
        assert test(np.zeros((60, 1))).p_values.tolist() == [1.0]
        assert test(np.zeros((6, 1))).p_values.tolist() == [1.0]
