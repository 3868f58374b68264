"""Several parts put together: numbers by hand, and rank intervals that hold, by simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.aggregates import holds, part
from metrics.statistics.aggregates import Part, by_ranks, linear, midranks
from metrics.statistics.many import Pairwise, covariance_test
from metrics.statistics.weights import Floats


def given(values: list[float], p_value: float, **more: object) -> Part:
    """Systems of which all pairs have this p-value."""
    found = np.array(values)
    n = len(values)
    same = np.full((n, n), p_value)
    np.fill_diagonal(same, np.nan)
    gaps = found[:, None] - found[None, :]
    pairs = Pairwise(gaps, np.ones((n, n)), same, np.full((n, n), 50.0))
    drawn = np.random.default_rng(0).normal(found, 0.1, (200, n))
    nothing = np.zeros(n, np.bool_)
    return Part(found, pairs, drawn, nothing, **{"group": "a", **more})  # type: ignore[arg-type]


def test_a_mean_of_two_independent_sets_is_welchs_t() -> None:
    """The error is the root of the sum of the sets' squares, as scipy has it for their sum."""
    from scipy.stats import ttest_ind

    chance = np.random.default_rng(1)
    means = [np.array([0.0, 0.4]), np.array([0.0, 0.1])]
    parts = [part(chance, "normal", own, n, str(n)) for own, n in zip(means, (40, 90), strict=True)]
    found = linear(parts, [1.0, -1.0], [0.0, 0.0])
    # the difference of the differences: two independent samples of paired differences
    chance = np.random.default_rng(1)
    gaps = [_gaps(chance, own, n) for own, n in zip(means, (40, 90), strict=True)]
    expected = ttest_ind(*gaps, equal_var=False)
    assert found.ranks.p_values[0, 1] == pytest.approx(expected.pvalue, rel=0.15)


def _gaps(chance: np.random.Generator, means: Floats, n: int) -> Floats:
    own = chance.normal(size=(2, n))
    values = means[:, None] + chance.normal(size=n) + own
    return np.asarray(values[0] - values[1], np.float64)


def test_samples_of_two_sets_with_the_same_ids_are_drawn_apart() -> None:
    chance = np.random.default_rng(2)
    means = np.zeros(2)
    apart = [part(chance, "normal", means, 50, name) for name in ("a", "b")]
    together = [apart[0], replace(apart[0], group="a")]
    alone = linear(apart[:1], [1.0], [0.0])
    half = linear(apart, [0.5, 0.5], [0.0, 0.0])
    same = linear(together, [0.5, 0.5], [0.0, 0.0])
    width = alone.high - alone.low
    np.testing.assert_allclose(same.high - same.low, width, rtol=1e-9)  # twice the same set
    assert ((half.high - half.low) < 0.85 * width).all()


def test_mean_ranks_and_wins_by_hand() -> None:
    parts = [
        given([3.0, 2.0, 1.0], 1e-6),
        given([1.0, 1.0, 2.0], 1.0, group="b", weight=3.0, higher_is_better=False),
    ]
    ranked = by_ranks(parts)
    # first part: 1, 2, 3; second, lower is better: 1.5, 1.5, 3
    np.testing.assert_allclose(ranked.values, [1.375, 1.625, 3.0])
    np.testing.assert_allclose(ranked.low, [0.25 + 0.75, 0.5 + 0.75, 0.75 + 0.75])
    np.testing.assert_allclose(ranked.high, [0.25 + 2.25, 0.5 + 2.25, 0.75 + 2.25])
    assert ranked.ranks.rank.tolist() == [1, 2, 3]
    assert ranked.ranks.best.tolist() == [1, 1, 1]
    won = by_ranks(parts, wins=True)
    np.testing.assert_allclose(won.values, (3 - ranked.values) / 2)
    np.testing.assert_allclose(won.low, (3 - ranked.high) / 2)
    both = by_ranks([parts[0], given([9.0, 8.0, 7.0], 1e-6, group="b")])
    assert both.ranks.worst.tolist() == [1, 2, 3]


def test_incomplete_systems_stand_last_and_are_better_than_nobody() -> None:
    last = np.array([True, False, False])
    assert midranks(np.array([[9.0, 5.0, 7.0]]), last).tolist() == [[3.0, 2.0, 1.0]]
    lacking = given([9.0, 5.0, 7.0], 1e-9)
    picky = replace(lacking, incomplete=last)
    for found in (linear([picky], [1.0], [0.0]), by_ranks([picky])):
        assert found.ranks.rank.tolist() == [3, 2, 1]
        assert found.ranks.worst.tolist() == [3, 3, 2]
        assert np.isnan(found.p_first[0])


@pytest.mark.parametrize("equal", [True, False])
def test_rank_intervals_of_aggregates_hold(equal: bool) -> None:
    """At least 95% of boards; 100 of them, so above 0.95 - 2.5 standard errors of 2.2 points."""
    chance = np.random.default_rng(5 + equal)
    right = np.zeros(2)
    for _ in range(100):
        means = [chance.normal(scale=0.0 if equal else 0.3, size=6) for _ in range(2)]
        parts = [part(chance, "gamma", own, 40, str(at)) for at, own in enumerate(means)]
        nothing = np.zeros(6, np.bool_)
        mean = np.mean(means, axis=0)
        rank = np.mean([midranks(own[None], nothing)[0] for own in means], axis=0)
        right += [
            holds(linear(parts, [0.5, 0.5], [0.0, 0.0]), mean, higher=True),
            holds(by_ranks(parts), rank, higher=False),
        ]
    assert (right >= 89).all(), right


def test_of_a_part_without_tests_the_sum_has_a_value_and_no_interval() -> None:
    drawn = np.random.default_rng(0).normal(size=(50, 3))
    values, complete = np.arange(3.0), np.zeros(3, np.bool_)
    nothing = np.full((3, 3), np.nan)
    tested = Part(values, covariance_test(values, drawn, 50), drawn, complete, "a")
    untested = Part(values, Pairwise(*[nothing] * 4), nothing[:1], complete, "b")
    found = linear([tested, untested], [0.5, 0.5], [0.0, 0.0])
    assert found.values.tolist() == [0.0, 1.0, 2.0]
    assert np.isnan([found.low, found.high, found.p_first]).all()
    assert found.ranks.worst.tolist() == [3, 3, 3]


def test_the_error_over_few_common_samples_is_not_that_of_each_systems_own() -> None:
    """Without a value by design nobody stands behind; what is certain is what was compared."""
    few = np.full((2, 2), 3.0)
    plain = replace(given([0.0, 1.0], 0.5), pairs=replace(given([0.0, 1.0], 0.5).pairs, errors=few))
    uneven = replace(plain, uneven=np.ones(2, np.bool_))
    own, common = (linear([one], [1.0], [0.0]) for one in (plain, uneven))
    assert own.ranks.p_values[0, 1] < 1e-6  # of the replicates, whose error is 0.14
    assert common.ranks.p_values[0, 1] == pytest.approx(0.74, abs=0.01)  # t of 1/3, 49 degrees
    assert common.ranks.rank.tolist() == own.ranks.rank.tolist() == [2, 1]
    assert np.isfinite(common.p_first).all()
