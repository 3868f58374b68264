"""Intervals: they contain their value, they cover what they say, they equal what is known."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from metrics.statistics import intervals
from metrics.statistics.intervals import (
    Intervals,
    bootstrap,
    jackknife,
    t_quantile,
    t_tail,
    wilson,
)
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
METHODS: list[Method] = [bootstrap, wilson, jackknife]


def mean(sums: Floats) -> Floats:
    return sums[..., :-1] / sums[..., -1:]


def with_ones(values: list[float] | Floats) -> Floats:
    columns = np.asarray(values, float).reshape(len(values), -1)
    return np.concatenate([columns, np.ones((len(columns), 1))], 1)


@settings(max_examples=150, deadline=None)
@given(
    arrays(
        float,
        st.tuples(st.integers(2, 60), st.integers(1, 3)),
        elements=st.one_of(st.sampled_from([0.0, 1.0]), st.floats(-1e6, 1e6)),
    ),
    st.sampled_from([0.5, 0.9, 0.95, 0.999]),
)
def test_an_interval_contains_its_value(values: Floats, level: float) -> None:
    rows = with_ones(values)
    value = mean(rows.sum(0))
    for method in METHODS:
        found = method(rows, keys(len(rows)), mean, level=level)
        assert (found.low <= value + 1e-9 * abs(value)).all(), method
        assert (value - 1e-9 * abs(value) <= found.high).all(), method
        exact = intervals.evaluate(mean, totals(rows))
        assert ((found.low <= exact) & (exact <= found.high)).all(), method


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

    found = bootstrap(with_ones([5.0, 5.0, 5.0]), keys(3), forgiving, replicates=1000)
    empty = int(np.isnan(known(found.replicates)).sum())
    assert empty == pytest.approx(1000 * np.exp(-3), abs=25)  # 50 expected
    assert (found.low[0], found.high[0]) == (5.0, 5.0)
    assert f"{empty} of 1000 bootstrap replicates have no value: left out" in found.warnings


def test_replicates_that_are_not_finite_are_left_out() -> None:
    rows = np.array([[1.0, 1.0]] + [[1.0, 0.0]] * 30)  # without the first unit, 1/0
    found = bootstrap(rows, keys(31), lambda sums: sums[..., :1] / sums[..., 1:])
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


def test_wilson_leaves_fractions_to_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    rows = with_ones(np.stack([rng.integers(0, 2, 60), rng.random(60)], 1))
    found, plain = wilson(rows, keys(60), mean), bootstrap(rows, keys(60), mean)
    assert found.methods == ("wilson", "bootstrap")
    assert found.low[1] == plain.low[1]
    assert found.low[0] != plain.low[0]
    halves = np.concatenate([rows[:, :2], np.full((60, 1), 0.5)], 1)  # a weight that is not 1
    assert wilson(halves, keys(60), mean).methods == ("bootstrap", "bootstrap")
    percent = wilson(rows[:, [0, 2]], keys(60), lambda sums: 100 * mean(sums))
    assert percent.methods == ("bootstrap",)  # not the proportion itself


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
    cut = jackknife(rows, keys(400), mean, bounds=(np.array([0.51]), np.array([0.54])))
    assert plain.low[0] < 0.51 < values.mean() < 0.54 < plain.high[0]
    assert (cut.low[0], cut.high[0]) == (0.51, 0.54)
    beyond = jackknife(rows, keys(400), mean, bounds=(np.array([0.0]), np.array([0.5])))
    assert beyond.high[0] == totals(rows)[0] / 400  # never cut below the value


def test_jackknife_leaves_out_the_loss_where_that_is_not_the_row() -> None:
    """Kinds of words over words: what is left without a unit, counted anew."""
    texts = ["a b", "b c d", "a", "e e", "b"]
    kinds = np.array([[2, 2], [2, 3], [0, 1], [1, 2], [0, 1]], float)  # where a word first occurs
    alone = np.array([[0, 2], [2, 3], [0, 1], [1, 2], [0, 1]], float)  # words no other unit has
    left, sizes = intervals.left_out(kinds, keys(5), lambda s: ratio(s)[..., None], alone, False)
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
    monkeypatch.setattr(intervals, "CELLS", 100)
    grouped = jackknife(rows, keys(2511), lambda sums: ratio(sums)[..., None])
    assert grouped.high - grouped.low == pytest.approx(one.high - one.low, rel=0.2)
    order = rng.permutation(2511)
    moved = jackknife(rows[order], keys(2511)[order], lambda sums: ratio(sums)[..., None])
    assert moved.low == pytest.approx(grouped.low, rel=1e-12)


def test_jackknife_in_groups_of_unequal_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """450 units in 200 groups of 2 or 3: the error of the mean is still about s / sqrt(n)."""
    monkeypatch.setattr(intervals, "CELLS", 100)
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


def test_bootstrap_covers_perplexity() -> None:
    rng = np.random.default_rng(6)
    tokens = rng.integers(5, 60, (SIMS, 200))
    rows = np.stack([tokens * rng.normal(3.0, 0.5, (SIMS, 200)), tokens], 2)
    found = bootstrap(side_by_side(rows), keys(200), each(perplexity, SIMS))
    assert 92.5 < covered(found, np.exp(3.0)) < 97


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
        found = jackknife(rows, keys(n), lambda s: ratio(s)[..., None], loss=loss.astype(float))
        inside += bool(found.low[0] <= truth <= found.high[0])
        assert found.low[0] < len(kinds) / (n * words) < found.high[0]
        plain = bootstrap_of_distinct(holders, sample.size, n)
        low += bool(np.quantile(plain, 0.975) < truth)
    assert 100 * inside / sims > 92
    assert low == sims  # the whole percentile interval lies below the truth, always


def bootstrap_of_distinct(holders: NDArray[np.bool_], size: int, n: int) -> Floats:
    kinds = ((drawn(keys(n), 0, 200) @ holders.T) > 0).sum(1)
    return np.asarray(kinds / size, np.float64)
