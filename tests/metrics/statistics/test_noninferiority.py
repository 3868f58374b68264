"""Non-inferiority: both ways of erring are held, and the p-values are the t-test's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from metrics.statistics.noninferiority import non_inferior

N, ALPHA = 60, 0.05


def test_p_values_are_the_t_tests() -> None:
    drawn = np.random.default_rng(1).normal(0.1, 1.0, N)
    error = float(drawn.std(ddof=1)) / N**0.5
    found = non_inferior(float(drawn.mean()), error, N - 1, 0.2, ALPHA)
    above = stats.ttest_1samp(drawn, -0.2, alternative="greater")
    below = stats.ttest_1samp(drawn, -0.2, alternative="less")
    assert found.p_go == pytest.approx(above.pvalue, rel=1e-9)
    assert found.p_no_go == pytest.approx(below.pvalue, rel=1e-9)
    assert found.bound == pytest.approx(above.confidence_interval(0.95).low, rel=1e-9)


def _verdicts(true: float, margin: float) -> list[str]:
    rng = np.random.default_rng(2)
    found: list[str] = []
    for drawn in rng.normal(true, 1.0, (2000, N)):
        error = float(drawn.std(ddof=1)) / N**0.5
        found.append(non_inferior(float(drawn.mean()), error, N - 1, margin, ALPHA).verdict)
    return found


def test_a_candidate_at_the_margin_passes_and_fails_no_more_often_than_alpha() -> None:
    found = _verdicts(true=-0.3, margin=0.3)
    assert found.count("go") / 2000 == pytest.approx(ALPHA, abs=0.02)  # four standard errors
    assert found.count("no_go") / 2000 == pytest.approx(ALPHA, abs=0.02)


def test_an_equal_candidate_passes_and_a_bad_one_fails() -> None:
    assert _verdicts(true=0.0, margin=0.6).count("go") > 1950
    assert _verdicts(true=-1.2, margin=0.6).count("no_go") > 1950


def test_a_demanded_gain_is_a_negative_margin() -> None:
    assert non_inferior(0.5, 0.1, 99, -0.2, ALPHA).verdict == "go"
    assert non_inferior(0.25, 0.1, 99, -0.2, ALPHA).verdict == "inconclusive"
    assert non_inferior(-0.1, 0.1, 99, -0.2, ALPHA).verdict == "no_go"


def test_without_an_error_the_difference_decides_and_without_a_difference_nothing() -> None:
    assert non_inferior(0.0, 0.0, 9, 0.0, ALPHA).verdict == "go"
    assert non_inferior(-0.1, 0.0, 9, 0.0, ALPHA).verdict == "no_go"
    assert non_inferior(float("nan"), 0.1, 9, 0.0, ALPHA).verdict == "inconclusive"
