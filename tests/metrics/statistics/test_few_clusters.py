"""Intervals over clusters cover, and what repeats add, by simulation."""

import warnings

import numpy as np
import pytest

from metrics.statistics.clusters import clusters, tried, variances
from metrics.statistics.few_clusters import few, student
from metrics.statistics.intervals import bootstrap_t, wilson
from metrics.statistics.repeats import split
from metrics.statistics.resampling import delete_variance
from metrics.statistics.weights import Floats
from tests.metrics.statistics.simulation import keys

EACH = 10  # samples a document


def mean(sums: Floats) -> Floats:
    return sums[..., :-1] / sums[..., -1:]


def names(documents: int, each: int = EACH) -> list[str]:
    return [f"document {at // each}" for at in range(documents * each)]


def rows_of(values: Floats) -> Floats:
    return np.concatenate([values, np.ones((len(values), 1))], 1)


def normal(rng: np.random.Generator, documents: int, sims: int, share: float = 0.3) -> Floats:
    """(n, sims) values, an intra-class correlation of `share`; their mean is 0."""
    common = np.repeat(rng.normal(0, share**0.5, (documents, sims)), EACH, 0)
    return common + rng.normal(0, (1 - share) ** 0.5, common.shape)


def passes(rng: np.random.Generator, documents: int, sims: int, p: float) -> Floats:
    """(n, sims) values 0 or 1 of mean p, an intra-class correlation of 0.3."""
    odds = 0.7 / 0.3
    chance = rng.beta(p * odds, (1 - p) * odds, (documents, sims))
    return (rng.random((documents * EACH, sims)) < np.repeat(chance, EACH, 0)).astype(float)


def covered(low: Floats, high: Floats, truth: float) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


@pytest.mark.parametrize("documents", [20, 50])
def test_intervals_over_documents_cover_what_those_over_samples_do_not(documents: int) -> None:
    values = normal(np.random.default_rng(documents), documents, 200)
    found = clusters(names(documents))
    alone, over = [], []
    for one in values.T:
        rows = rows_of(one[:, None])
        alone.append(bootstrap_t(rows, keys(len(rows)), mean, replicates=200))
        over.append(bootstrap_t(found.pooled(rows), found.keys, mean, replicates=200))
    assert np.mean([covered(one.low, one.high, 0.0) for one in alone]) < 0.8
    assert np.mean([covered(one.low, one.high, 0.0) for one in over]) > 0.9


@pytest.mark.parametrize("documents", [5, 12])
def test_students_t_covers_with_few_documents(documents: int) -> None:
    rows = rows_of(normal(np.random.default_rng(documents), documents, 3000))
    found = clusters(names(documents))
    nothing = np.full(3000, -np.inf), np.full(3000, np.inf)
    over = student(found.pooled(rows), found, mean, nothing, replicates=1)
    assert 0.935 < covered(over.low, over.high, 0.0) < 0.965
    assert f"only {documents} clusters" in few(documents)[0]


@pytest.mark.parametrize("documents", [8, 30, 100])
@pytest.mark.parametrize("p", [0.03, 0.2, 0.5, 0.9])
def test_wilson_covers_over_documents(documents: int, p: float) -> None:
    rng = np.random.default_rng(documents + int(1000 * p))
    rows = rows_of(passes(rng, documents, 500, p))
    found = clusters(names(documents))
    over = wilson(found.pooled(rows), found.keys, mean, replicates=1)
    assert covered(over.low, over.high, p) > 0.915
    alone = wilson(rows, keys(len(rows)), mean, replicates=1)
    assert covered(alone.low, alone.high, p) < 0.88


def test_wilson_over_clusters_that_do_not_matter_is_that_of_samples() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of((rng.random((4000, 1)) < 0.4).astype(float))
    found = clusters([str(at % 1000) for at in range(4000)])
    over = wilson(found.pooled(rows), found.keys, mean, replicates=1)
    alone = wilson(rows, keys(4000), mean, replicates=1)
    assert (over.high - over.low)[0] == pytest.approx((alone.high - alone.low)[0], rel=0.06)


def test_outcomes_that_are_all_equal_count_once_a_document() -> None:
    rows, found = np.ones((200, 2)), clusters(names(20))
    over = wilson(found.pooled(rows), found.keys, mean, replicates=1)
    z = 1.96
    assert over.low[0] == pytest.approx(20 / (20 + z * z), abs=1e-3)
    assert over.high[0] == 1.0


def test_one_cluster_allows_no_interval() -> None:
    rows, found = rows_of(np.array([[0.0], [1.0], [1.0]])), clusters(["a"] * 3)
    over = wilson(found.pooled(rows), found.keys, mean, replicates=10)
    assert np.isnan(over.low).all()
    assert few(1) == ("a single cluster allows no interval",)


def test_a_clusters_jackknife_is_statsmodels_cluster_robust_error() -> None:
    """Of equal clusters; statsmodels corrects by G/(G-1) · (n-1)/(n-k) with k = 1."""
    api = pytest.importorskip("statsmodels.api")
    values = normal(np.random.default_rng(4), 40, 1)
    groups = np.repeat(np.arange(40), EACH)
    fitted = api.OLS(values[:, 0], np.ones(400)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    over = variances(rows_of(values), clusters(names(40)), mean)
    assert float(over.clusters[0]) == pytest.approx(float(fitted.bse[0]) ** 2, rel=1e-9)


def test_likeness_is_pointed_out_where_it_is_no_chance() -> None:
    rng = np.random.default_rng(2)
    found = clusters(names(30))
    alike = tried(rows_of(normal(rng, 30, 400)), [found], mean)
    assert np.isfinite(alike).mean() > 0.9
    assert np.nanmean(alike) == pytest.approx(3.7, abs=0.5)
    unlike = tried(rows_of(normal(rng, 30, 400, share=0.0)), [found], mean)
    assert np.isfinite(unlike).mean() < 0.02
    heavy = np.exp(1.5 * rng.normal(size=(300, 400)))
    assert np.isfinite(tried(rows_of(heavy), [found], mean)).mean() < 0.03
    few = clusters([str(at % 4) for at in range(300)])
    assert np.isnan(tried(rows_of(normal(rng, 30, 4)), [few], mean)).all()


def test_the_quick_design_effect_is_the_jackknifes_for_means() -> None:
    rows, found = rows_of(normal(np.random.default_rng(3), 40, 3)), clusters(names(40))
    np.testing.assert_allclose(
        tried(rows, [found], mean)[0], variances(rows, found, mean).effect, rtol=1e-9
    )


def test_repeats_split_as_reml_does() -> None:
    mixed = pytest.importorskip("statsmodels.regression.mixed_linear_model")
    rng = np.random.default_rng(5)
    questions, draws = 40, 6
    unit = np.repeat(np.arange(questions), draws)
    values = rng.normal(0, 1, questions)[unit] + rng.normal(0, 1.5, len(unit))
    found = split(values[:, None], unit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = mixed.MixedLM(values, np.ones((len(unit), 1)), unit).fit(reml=True)
    between, within = float(np.asarray(fitted.cov_re)[0, 0]), float(fitted.scale)
    assert float(found.questions[0]) == pytest.approx(between / questions, rel=1e-3)
    assert float(found.draws[0]) == pytest.approx(within / questions / draws, rel=1e-3)


def test_repeats_of_unequal_counts_are_split_without_bias() -> None:
    rng = np.random.default_rng(6)
    counts = rng.integers(1, 9, 50)
    unit, sims = np.repeat(np.arange(50), counts), 4000
    values = rng.normal(0, 1, (50, sims))[unit] + rng.normal(0, 2, (len(unit), sims))
    found = split(values, unit)
    assert found.draws.mean() == pytest.approx(4 * (1 / counts).sum() / 50**2, rel=0.02)
    assert found.questions.mean() == pytest.approx(1 / 50, rel=0.05)
    means = np.stack([np.bincount(unit, one) for one in values.T[:5]], 1) / counts[:, None]
    left = (means.sum(0) - means) / 49
    whole = delete_variance(means.mean(0), left, np.ones(50))
    np.testing.assert_allclose((found.questions + found.draws)[:5], whole, rtol=1e-9)


def test_one_output_a_question_cannot_be_split() -> None:
    found = split(np.arange(4.0)[:, None], np.arange(4))
    assert np.isnan(found.draws).all()
