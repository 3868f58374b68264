"""Power is statsmodels', live, and what a simulation finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower, TTestPower

from metrics.statistics.power import detectable, draws_gain, power_of, samples_needed
from metrics.statistics.quantiles import t_tail


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("effect", [0.05, 0.2, 0.8])
def test_samples_needed_are_those_of_statsmodels(
    effect: float, paired: bool, one_sided: bool
) -> None:
    theirs = TTestPower() if paired else TTestIndPower()
    side = "larger" if one_sided else "two-sided"
    size = {"nobs" if paired else "nobs1": None}
    wanted = theirs.solve_power(effect_size=effect, power=0.8, alpha=0.05, alternative=side, **size)
    found = samples_needed(3.0, 3.0 * effect, 0.8, 0.05, paired=paired, one_sided=one_sided)
    assert abs(found - math.ceil(float(np.atleast_1d(wanted)[0]))) <= 1  # theirs is solved to 1e-2


@pytest.mark.parametrize("n", [5, 50, 3000])
def test_detectable_differences_are_those_of_statsmodels(n: int) -> None:
    paired = TTestPower().solve_power(nobs=n, power=0.9, alpha=0.01)
    apart = TTestIndPower().solve_power(nobs1=n, power=0.9, alpha=0.01)
    assert detectable(2.0, n, 0.9, 0.01) == pytest.approx(2.0 * paired, rel=1e-4)
    assert detectable(2.0, n, 0.9, 0.01, paired=False) == pytest.approx(2.0 * apart, rel=1e-4)


def test_needed_and_detectable_invert_each_other() -> None:
    n = samples_needed(1.0, 0.13, 0.8, 0.05)
    assert detectable(1.0, n, 0.8, 0.05) <= 0.13 < detectable(1.0, n - 1, 0.8, 0.05)


def test_a_simulation_finds_the_effect_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    n = samples_needed(1.0, 0.25, 0.8, 0.05)
    drawn = rng.standard_normal((4000, n)) + 0.25
    statistics = drawn.mean(1) / (drawn.std(1, ddof=1) / math.sqrt(n))
    found = np.mean([t_tail(one, n - 1) < 0.05 for one in statistics])
    assert found == pytest.approx(0.8, abs=0.025)  # four standard errors


def test_nothing_varies_and_nothing_is_to_be_found() -> None:
    assert samples_needed(0.0, 0.1, 0.8, 0.05) == 2
    assert detectable(0.0, 30, 0.8, 0.05) == 0.0
    assert math.isnan(detectable(1.0, 1, 0.8, 0.05))
    assert samples_needed(1e-300, 1e300, 0.8, 0.05) == 2
    with pytest.raises(ValueError, match="effect of zero"):
        samples_needed(1.0, 0.0, 0.8, 0.05)


def test_power_grows_with_samples() -> None:
    assert power_of(1.0, 20, 0.3, 0.05) < power_of(1.0, 40, 0.3, 0.05) < 1.0


def test_more_draws_narrow_only_what_draws_cause() -> None:
    gain = dict(draws_gain(questions=1.0, draws=3.0, outputs=1))
    assert gain[2] == pytest.approx(math.sqrt(2.5 / 4.0))
    assert gain[0] == pytest.approx(0.5)  # the limit: the questions' own variance
    assert draws_gain(0.0, 0.0, 1) == ()
