"""Intervals: they contain their value, they cover what they say, they equal what is known."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from metrics.statistics import resampling
from metrics.statistics.influence import Reduce, influence
from metrics.statistics.intervals import Intervals, bootstrap, bootstrap_t, jackknife, wilson
from metrics.statistics.quantiles import t_quantile, t_tail
from metrics.statistics.weights import Floats, totals
from tests.known import known
from tests.metrics.statistics.simulation import (
    bleu,
    bleu_rows,
    drawn,
    each,
    keys,
    perplexity,
    ratio,
    side_by_side,
)

Method = Callable[..., Intervals]
METHODS: list[Method] = [bootstrap, bootstrap_t, wilson, jackknife]


def mean(sums: Floats) -> Floats:
    return sums[..., :-1] / sums[..., -1:]


def with_ones(values: list[float] | Floats) -> Floats:
    columns = np.asarray(values, float).reshape(len(values), -1)
    return np.concatenate([columns, np.ones((len(columns), 1))], 1)


@settings(max_examples=100, deadline=None)
@given(
    arrays(
        float,
        st.tuples(st.integers(2, 60), st.integers(1, 3)),
        elements=st.one_of(st.sampled_from([0.0, 1.0]), st.floats(-1e6, 1e6)),
    ),
    st.sampled_from([0.5, 0.9, 0.95, 0.999]),
)
def test_an_interval_contains_its_value(values: Floats, level: float) -> None:
    """Or there is none, and a sentence says why."""
    rows = with_ones(values)
    exact = resampling.evaluate(mean, totals(rows))
    for method in METHODS:
        found = method(rows, keys(len(rows)), mean, level=level)
        none = np.isnan(found.low) & np.isnan(found.high)
        assert (none | ((found.low <= exact) & (exact <= found.high))).all(), method
        assert not any(none[s] and not found.notes[s] for s in range(len(exact))), method


@pytest.mark.parametrize("method", METHODS)
def test_one_unit_says_nothing(method: Method) -> None:
    found = method(with_ones([1.0]), keys(1), mean)
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()
    assert found.warnings == ("a single unit allows no interval",)


def test_few_units_say_so_unless_wilson_holds() -> None:
    values = [0.0, 1.0, 1.0, 0.0]
    assert bootstrap(with_ones(values), keys(4), mean).warnings[0].startswith("only 4 units")
    assert wilson(with_ones(values), keys(4), mean).warnings == ()
    assert bootstrap(with_ones(values * 10), keys(40), mean).warnings == ()


def test_bootstrap_is_the_percentile_of_weighted_sums() -> None:
    rows = with_ones(np.random.default_rng(0).normal(size=80))
    found = bootstrap(rows, keys(80), mean, seed=4, replicates=500, level=0.9)
    weights = drawn(keys(80), 4, 500)
    means = (weights @ rows[:, 0]) / weights.sum(1)
    np.testing.assert_allclose(known(found.replicates)[:, 0], means, rtol=1e-9)
    assert found.low[0] == pytest.approx(np.quantile(means, 0.05))
    assert found.high[0] == pytest.approx(np.quantile(means, 0.95))


def test_bootstrap_error_is_that_of_the_mean() -> None:
    """The standard deviation over replicates is s / sqrt(n), within its own 3 deviations."""
    values = np.random.default_rng(1).gamma(2.0, size=3000)
    found = bootstrap(with_ones(values), keys(3000), mean, replicates=4000)
    error = known(found.replicates).std()
    assert error == pytest.approx(values.std() / 3000**0.5, rel=3 / 8000**0.5)


def test_empty_draws_are_left_out_and_counted() -> None:
    def forgiving(sums: Floats) -> Floats:  # like BLEU's: zero sums give 0, not NaN
        return sums[..., :1] / np.maximum(sums[..., 1:], 1e-9)

    found = bootstrap(with_ones([5.0, 5.0, 6.0]), keys(3), forgiving, replicates=1000)
    empty = int(np.isnan(known(found.replicates)).sum())
    assert empty == pytest.approx(1000 * np.exp(-3), abs=25)  # 50 expected
    assert (found.low[0], found.high[0]) == (5.0, 6.0)
    assert f"{empty} of 1000 bootstrap replicates have no value: left out" in found.warnings


def test_replicates_that_are_not_finite_are_left_out() -> None:
    rows = np.array([[1.0, 1.0], [2.0, 1.0]] + [[1.0, 0.0]] * 30)  # without the first two, 1/0
    found = bootstrap(rows, keys(32), lambda sums: sums[..., :1] / sums[..., 1:])
    assert np.isinf(known(found.replicates)).any()
    assert np.isfinite([found.low[0], found.high[0]]).all()
    assert "left out" in found.warnings[0]


@pytest.mark.parametrize(
    ("hits", "n"), [(0, 10), (1, 10), (7, 10), (10, 10), (81, 263), (0, 1000), (15, 148)]
)
def test_wilson_equals_scipy(hits: int, n: int) -> None:
    rows = with_ones([1.0] * hits + [0.0] * (n - hits))
    found = wilson(rows, keys(n), mean)
    want = scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert found.methods == ("wilson",)
    assert found.low[0] == pytest.approx(want.low, abs=1e-12)
    assert found.high[0] == pytest.approx(want.high, abs=1e-12)
    assert known(found.replicates).shape == (1000, 1)


def test_wilson_golden() -> None:
    """Newcombe (1998), table I."""
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(with_ones([1.0] * hits + [0.0] * (n - hits)), keys(n), mean)
        assert (round(found.low[0], 4), round(found.high[0], 4)) == (low, high)


def test_wilson_knows_shares_from_what_only_looks_like_them() -> None:
    rng = np.random.default_rng(0)
    rows = with_ones(np.stack([rng.integers(0, 2, 60), rng.random(60), 3 * rng.random(60)], 1))
    found, plain = wilson(rows, keys(60), mean), bootstrap_t(rows, keys(60), mean)
    assert found.methods == ("wilson", "wilson_effective_n", "bootstrap_t")
    assert found.low[2] == plain.low[2]
    percent = wilson(rows[:, [0, 3]], keys(60), lambda sums: 100 * mean(sums))
    assert percent.methods == ("bootstrap_t",)  # beyond 0 and 1
    ends = np.zeros(1), np.full(1, 100.0)
    told = wilson(rows[:, [1, 3]], keys(60), lambda sums: 100 * mean(sums), bounds=ends)
    assert told.methods == ("wilson_effective_n",)
    assert told.low[0] == pytest.approx(100 * found.low[1], rel=1e-9)


def test_wilson_of_clusters_is_as_wide_as_they_are_alike() -> None:
    """Ten alike answers to each of 30 questions are 30 answers, whether all are right or not."""
    right = np.repeat([1.0, 0.0], [18, 12])
    clusters = np.stack([10 * right, np.full(30, 10.0)], 1)
    found, alone = wilson(clusters, keys(30), mean), wilson(with_ones(right), keys(30), mean)
    assert found.methods == ("wilson_effective_n",)
    assert found.low[0] == pytest.approx(alone.low[0], abs=0.01)
    whole = wilson(np.full((30, 2), 10.0), keys(30), mean)
    assert whole.low[0] == wilson(with_ones([1.0] * 30), keys(30), mean).low[0]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_equal_values_of_a_bounded_mean_leave_room_for_three_others(value: float) -> None:
    for method in (wilson, bootstrap_t):
        bounds = np.zeros(1), np.ones(1)
        found = method(with_ones([value] * 100), keys(100), mean, bounds=bounds)
        assert found.methods == ("wilson",)
        assert max(value - found.low[0], found.high[0] - value) > 0.03


def test_equal_values_allow_no_interval_elsewhere() -> None:
    for method in (bootstrap, bootstrap_t, jackknife):
        found = method(with_ones([7.25] * 100), keys(100), mean)
        assert np.isnan([found.low[0], found.high[0]]).all()
        assert found.notes[0][0].startswith("all 100 samples have the same value")


def test_one_sample_that_decides_allows_no_interval() -> None:
    values = np.random.default_rng(0).normal(size=60)
    values[7] = -50.0
    found = bootstrap_t(with_ones(values), keys(60), mean)
    assert np.isnan(found.low[0])
    assert found.notes[0][0].startswith("one sample of 60 decides: it carries 96% of the variance")
    values[7] = -6.0  # a third of the variance and more: an interval, and a warning
    found = bootstrap_t(with_ones(values), keys(60), mean)
    assert np.isfinite(found.low[0])
    assert found.notes[0][0].startswith("one sample of 60 carries 4")


def test_heavy_tails_and_alike_neighbours_are_pointed_out() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=1000)
    assert bootstrap_t(with_ones(values), keys(1000), mean).notes == ((),)
    heavy = bootstrap_t(with_ones(rng.lognormal(0, 1.5, 1000)), keys(1000), mean)
    assert heavy.notes[0][0].startswith("heavy tails: ")
    alike = np.repeat(values[:100], 10) + rng.normal(size=1000)
    (note,) = bootstrap_t(with_ones(alike), keys(1000), mean).notes[0]
    assert note.startswith("samples that follow each other are alike (correlation 0.4")


def test_a_level_beyond_the_replicates_is_pointed_out() -> None:
    rows = with_ones(np.random.default_rng(0).normal(size=60))
    assert bootstrap_t(rows, keys(60), mean, level=0.99).warnings == ()
    (warning,) = bootstrap_t(rows, keys(60), mean, level=0.999).warnings
    assert "ask for 10000 `replicates`" in warning


def test_influence_is_the_jackknifes_to_first_order() -> None:
    rng = np.random.default_rng(0)
    rows = bleu_rows(rng, (1, 400), rng.normal(0, 0.08, (1, 400)))[0]
    found = influence(rows, totals(rows), lambda sums: bleu(sums)[..., None])
    left, _ = resampling.left_out(rows, keys(400), lambda sums: bleu(sums)[..., None], None, False)
    assert np.corrcoef(found[:, 0], left.mean() - left[:, 0])[0, 1] > 0.999
    assert found.sum() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("n", [6, 24, 200])
def test_a_ratio_that_all_units_share_has_no_interval(n: int) -> None:
    """Of a denominator that is not the last column, of units of many sizes; a millionth of a
    difference is one."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 1000, n).astype(float)

    def ratios(sums: Floats) -> Floats:
        return sums[..., :2] / sums[..., 2:3]

    nearly = 7 * sizes * (1 + 1e-6 * rng.normal(size=n))
    rows = np.column_stack([46_080 * sizes, nearly, sizes, np.ones(n)])
    found = bootstrap_t(rows, keys(n), ratios)
    assert np.isnan(found.low[0])
    assert found.notes[0][0].startswith(f"all {n} samples have the same value")
    assert found.low[1] < nearly.sum() / sizes.sum() < found.high[1] < 7 * (1 + 1e-5)


def test_bootstrap_t_of_few_units_is_students_t() -> None:
    values = [3.0, 5.0, 4.0, 8.0]
    found = bootstrap_t(with_ones(values), keys(4), mean)
    error = np.std(values, ddof=1) / 2
    assert found.methods == ("t",)
    assert found.high[0] - 5 == pytest.approx(t_quantile(0.975, 3) * error, rel=1e-6)


def test_jackknife_of_a_mean_is_students_t() -> None:
    values = np.random.default_rng(0).normal(size=25)
    found = jackknife(with_ones(values), keys(25), mean)
    want = scipy.stats.t.interval(0.95, 24, values.mean(), scipy.stats.sem(values))
    assert (found.low[0], found.high[0]) == pytest.approx(want, rel=2e-4)
    assert found.replicates is None


def test_jackknife_adds_variance_and_keeps_to_bounds() -> None:
    values = np.random.default_rng(0).random(400)
    rows = with_ones(values)
    plain = jackknife(rows, keys(400), mean)
    error = values.std(ddof=1) / 20
    wider = jackknife(rows, keys(400), mean, variance=np.array([3 * error**2]))
    assert wider.high[0] - wider.low[0] == pytest.approx(2 * (plain.high[0] - plain.low[0]))
    cut = jackknife(rows, keys(400), mean, bounds=(np.array([0.51]), np.array([np.inf])))
    assert plain.low[0] < 0.51 < values.mean()
    assert (cut.low[0], cut.high[0]) == (0.51, plain.high[0])
    beyond = jackknife(rows, keys(400), mean, bounds=(np.array([-np.inf]), np.array([0.5])))
    assert beyond.high[0] == totals(rows)[0] / 400  # never cut below the value
    between = jackknife(rows, keys(400), mean, bounds=(np.zeros(1), np.ones(1)))
    assert between.methods == ("jackknife_wilson",)
    assert between.high[0] - between.low[0] == pytest.approx(plain.high[0] - plain.low[0], rel=0.02)


def test_jackknife_leaves_out_the_loss_where_that_is_not_the_row() -> None:
    """Kinds of words over words: what is left without a unit, counted anew."""
    texts = ["a b", "b c d", "a", "e e", "b"]
    kinds = np.array([[2, 2], [2, 3], [0, 1], [1, 2], [0, 1]], float)  # where a word first occurs
    alone = np.array([[0, 2], [2, 3], [0, 1], [1, 2], [0, 1]], float)  # words no other unit has
    left, sizes = resampling.left_out(kinds, keys(5), lambda s: ratio(s)[..., None], alone, False)
    for i in range(5):
        rest = " ".join(texts[:i] + texts[i + 1 :]).split()
        assert left[i, 0] == len(set(rest)) / len(rest)
    found = jackknife(kinds, keys(5), lambda s: ratio(s)[..., None], loss=alone)
    error = np.sqrt(4 / 5 * ((left - left.mean()) ** 2).sum())
    assert found.high[0] - 5 / 9 == pytest.approx(t_quantile(0.975, 4) * error)
    assert sizes.tolist() == [1] * 5


def test_jackknife_in_groups_agrees_with_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    rows = rng.gamma(2.0, size=(2511, 2))  # 200 groups of 12 or 13
    one = jackknife(rows, keys(2511), lambda sums: ratio(sums)[..., None])
    monkeypatch.setattr(resampling, "CELLS", 100)
    grouped = jackknife(rows, keys(2511), lambda sums: ratio(sums)[..., None])
    assert grouped.high - grouped.low == pytest.approx(one.high - one.low, rel=0.2)
    order = rng.permutation(2511)
    moved = jackknife(rows[order], keys(2511)[order], lambda sums: ratio(sums)[..., None])
    assert moved.low == pytest.approx(grouped.low, rel=1e-12)


def test_jackknife_in_groups_of_unequal_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """450 units in 200 groups of 2 or 3: the error of the mean is still about s / sqrt(n)."""
    monkeypatch.setattr(resampling, "CELLS", 100)
    sims = 200
    rows = np.random.default_rng(3).normal(size=(sims, 450, 2)) * [1, 0] + [0, 1]
    found = jackknife(side_by_side(rows), keys(450), each(ratio, sims))
    width = (found.high - found.low).mean() / 2 / t_quantile(0.975, 199)
    assert width == pytest.approx(450**-0.5, rel=0.02)


@pytest.mark.parametrize("freedom", [3, 5, 10, 30, 300])
def test_t_is_close_and_wide(freedom: int) -> None:
    exact = scipy.stats.t.ppf(0.975, freedom)
    assert exact <= t_quantile(0.975, freedom) <= exact * (1 + 0.12 / freedom)
    assert t_quantile(0.025, freedom) == pytest.approx(-t_quantile(0.975, freedom))
    assert t_tail(t_quantile(0.975, freedom), freedom) == pytest.approx(0.05, rel=1e-9)
    for statistic in (0.3, 1.0, 2.5, 4.0):
        want = 2 * scipy.stats.t.sf(statistic, freedom)
        assert t_tail(statistic, freedom) == pytest.approx(want, rel=0.15, abs=2e-3)


# Coverage of a nominal 95%. With 1,000 data sets the figure's own standard error is 0.7 points.
SIMS = 1000


def covered(found: Intervals, truth: float) -> float:
    return 100 * float(((found.low <= truth) & (truth <= found.high)).mean())


@pytest.mark.parametrize(("n", "least", "most"), [(50, 91, 96), (200, 93, 97)])
def test_bootstrap_covers_a_skewed_mean(n: int, least: float, most: float) -> None:
    values = np.random.default_rng(n).gamma(1.0, size=(SIMS, n, 1))
    rows = side_by_side(np.concatenate([values, np.ones_like(values)], 2))
    assert least < covered(bootstrap(rows, keys(n), each(ratio, SIMS)), 1.0) < most


def test_wilson_covers_rare_hits_where_the_bootstrap_does_not() -> None:
    n, share = 50, 0.03
    hits = (np.random.default_rng(5).random((n, SIMS)) < share).astype(float)
    rows = np.concatenate([hits, np.ones((n, 1))], 1)
    assert 92 < covered(wilson(rows, keys(n), mean), share) < 98
    assert covered(bootstrap(rows, keys(n), mean), share) < 85


def coverage(
    draw: Callable[[np.random.Generator], Floats],
    truth: float,
    reduce: Reduce,
    method: Method = bootstrap_t,
    sims: int = 400,
) -> float:
    """Of intervals that are given, over data sets drawn one by one; a standard error of 1.1."""
    rng, inside = np.random.default_rng(0), []
    for at in range(sims):
        rows = draw(rng)
        found = method(rows, keys(len(rows)), reduce, seed=at, replicates=500)
        if np.isfinite(found.low[0]):
            inside.append(bool(found.low[0] <= truth <= found.high[0]))
    assert len(inside) > 0.9 * sims
    return 100 * float(np.mean(inside))


def perplexity_rows(rng: np.random.Generator) -> Floats:
    tokens = rng.integers(5, 60, 50)
    return np.stack([tokens * rng.gamma(9.0, 1 / 3, 50), tokens], 1)


def test_bootstrap_t_covers_perplexity() -> None:
    share = coverage(perplexity_rows, np.exp(3.0), lambda sums: perplexity(sums)[..., None])
    assert 92 < share < 98


def test_bootstrap_t_covers_heavy_tails_where_percentiles_do_not() -> None:
    def draw(rng: np.random.Generator) -> Floats:
        return with_ones(rng.lognormal(0, 1.5, 50))

    truth = np.exp(1.125)
    assert 90 < coverage(draw, truth, mean) < 97
    assert coverage(draw, truth, mean, bootstrap) < 86


@pytest.mark.parametrize(("a", "b"), [(0.15, 2.0), (10.0, 10.0), (0.05, 1.0)])
def test_wilson_covers_pass_at_1_of_ten_outputs(a: float, b: float) -> None:
    def draw(rng: np.random.Generator) -> Floats:
        return with_ones(rng.binomial(10, rng.beta(a, b, 50)) / 10)

    assert 92.5 < coverage(draw, a / (a + b), mean, wilson) < 99.5


def test_bootstrap_covers_bleu() -> None:
    rng = np.random.default_rng(7)
    sims, n = 500, 200
    truth = bleu(bleu_rows(rng, (1, 200_000), rng.normal(0, 0.08, (1, 200_000))).sum(1))[0]
    rows = bleu_rows(rng, (sims, n), rng.normal(0, 0.08, (sims, n)))
    found = bootstrap(side_by_side(rows), keys(n), each(bleu, sims), replicates=500)
    assert 92 < covered(found, truth) < 97.5


def test_jackknife_covers_distinct_n_where_the_bootstrap_fails() -> None:
    """Distinct-1 of texts with Zipf's words: a duplicate changes the value, so that no replicate
    of the bootstrap comes near it; leaving one out, with the words only it has, does."""
    rng = np.random.default_rng(8)
    n, words, sims = 100, 12, 120
    p = 1 / np.arange(1, 5001)
    p /= p.sum()
    texts = rng.choice(5000, p=p, size=(sims, n, words))
    truth = np.mean([len(np.unique(rng.choice(5000, p=p, size=n * words))) for _ in range(400)])
    truth /= n * words
    inside = low = 0
    for sample in texts:
        kinds, first, where = np.unique(sample, return_index=True, return_inverse=True)
        rows = np.zeros((n, 2))
        np.add.at(rows[:, 0], first // words, 1)  # a word counts where it first occurs
        rows[:, 1] = words
        holders = np.zeros((len(kinds), n), bool)
        holders[where.ravel(), np.repeat(np.arange(n), words)] = True
        loss = np.stack([(holders & (holders.sum(1) == 1)[:, None]).sum(0), rows[:, 1]], 1)
        found = jackknife(
            rows,
            keys(n),
            lambda s: ratio(s)[..., None],
            loss=loss.astype(float),
            bounds=(np.zeros(1), np.ones(1)),
        )
        inside += bool(found.low[0] <= truth <= found.high[0])
        assert found.low[0] < len(kinds) / (n * words) < found.high[0]
        plain = bootstrap_of_distinct(holders, sample.size, n)
        low += bool(np.quantile(plain, 0.975) < truth)
    assert 100 * inside / sims > 92
    assert low == sims  # the whole percentile interval lies below the truth, always


def bootstrap_of_distinct(holders: NDArray[np.bool_], size: int, n: int) -> Floats:
    kinds = ((drawn(keys(n), 0, 200) @ holders.T) > 0).sum(1)
    return np.asarray(kinds / size, np.float64)
