"""Confidence sequences: looked at twenty times, they err less often than alpha."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from metrics.statistics.quantiles import t_quantile
from metrics.statistics.sequential import confidence_sequence
from metrics.statistics.weights import Floats

RUNS, N, ALPHA = 150, 400, 0.1
LOOKS = np.arange(1, 21) * N // 20 - 1


def _passes(rng: np.random.Generator) -> Floats:  # one in five samples changes
    return np.asarray(rng.choice([-1.0, 0.0, 1.0], N, p=[0.1, 0.8, 0.1]))


def _skewed(rng: np.random.Generator) -> Floats:  # rarely, a large drop
    return np.asarray(0.05 - rng.choice([0.0, 1.0], N, p=[0.95, 0.05]))


@pytest.mark.parametrize("draw", [_passes, _skewed])
def test_looking_twenty_times_keeps_the_error_below_alpha(
    draw: Callable[[np.random.Generator], Floats],
) -> None:
    rng = np.random.default_rng(3)
    missed = plain = 0
    for _ in range(RUNS):
        drawn = draw(rng)  # of mean 0
        low, high = confidence_sequence(drawn, -1.0, 1.0, ALPHA)
        missed += bool((low[LOOKS] > 0.0).any() or (high[LOOKS] < 0.0).any())
        n = LOOKS + 1
        means = np.cumsum(drawn)[LOOKS] / n
        errors = np.array([drawn[:k].std(ddof=1) for k in n]) / np.sqrt(n)
        plain += bool((np.abs(means) > t_quantile(1 - ALPHA / 2, N) * errors).any())
    assert missed <= ALPHA * RUNS
    assert plain > 2 * ALPHA * RUNS  # the ordinary interval, looked at as often


def test_bounds_narrow_and_at_the_end_are_not_twice_the_ordinary_interval() -> None:
    drawn = np.random.default_rng(4).beta(2.0, 5.0, 2000)
    low, high = confidence_sequence(drawn, 0.0, 1.0, 0.05)
    assert bool(np.all(np.diff(low) >= 0.0))
    assert bool(np.all(np.diff(high) <= 0.0))
    assert low[-1] < 2.0 / 7.0 < high[-1]
    assert high[-1] - low[-1] < 2.0 * 2.0 * 1.96 * drawn.std() / 2000**0.5


def test_scale_is_immaterial() -> None:
    drawn = np.random.default_rng(5).uniform(-1.0, 1.0, 300)
    low, high = confidence_sequence(drawn, -1.0, 1.0, 0.1)
    wide, tall = confidence_sequence(50.0 * drawn, -50.0, 50.0, 0.1)
    np.testing.assert_allclose(wide, 50.0 * low, atol=50 * 2 / 2000)
    np.testing.assert_allclose(tall, 50.0 * high, atol=50 * 2 / 2000)


def test_weights_are_of_a_weighted_mean() -> None:
    rng = np.random.default_rng(6)
    sizes = rng.integers(1, 6, 3000)
    values = np.clip(0.2 * sizes + rng.uniform(-0.2, 0.0, 3000), 0.0, 1.0)  # larger ones are better
    low, high = confidence_sequence(values, 0.0, 1.0, 0.05, weights=sizes / 5.0)
    weighted = float((sizes * values).sum() / sizes.sum())
    assert low[-1] < weighted < high[-1]
    assert not low[-1] < values.mean() < high[-1]


def test_values_outside_the_range_are_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        confidence_sequence(np.array([0.2, 1.2]), 0.0, 1.0, 0.05)
    with pytest.raises(ValueError, match="no values"):
        confidence_sequence(np.array([0.2]), 1.0, 1.0, 0.05)


def test_nothing_yet_means_the_whole_range() -> None:
    low, high = confidence_sequence(np.array([0.7]), 0.0, 1.0, 0.05)
    assert (low[0], high[0]) == (0.0, 1.0)
    assert len(confidence_sequence(np.zeros(0), 0.0, 1.0, 0.05)[0]) == 0
