"""Verdicts keep their error: on one rule, on several, and looked at again and again."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gates import looked
from metrics.statistics.noninferiority import non_inferior_share, unvaried
from metrics.statistics.verdicts import Question, Running, answers, together
from metrics.statistics.weights import Floats
from tests.known import known

ALPHA = 0.05


def test_shares_at_the_margin_pass_as_rarely_as_alpha_says() -> None:
    """Exactly: the chance of each number of changed samples, times whether it would pass."""
    n, margin = 200, 0.05
    chances = np.zeros(n + 1)
    chances[0] = 0.95**n
    for k in range(n):  # binomial: 5% get worse, none better
        chances[k + 1] = chances[k] * (n - k) / (k + 1) * 0.05 / 0.95
    go = [non_inferior_share(0, k, n, margin, ALPHA).verdict == "go" for k in range(40)]
    assert float(chances[:40][go].sum()) <= 0.065  # a t-test: 0.13
    assert go[0]


def test_a_share_is_ruled_out_where_its_bound_says_so() -> None:
    found = non_inferior_share(12, 20, 300, 0.06, ALPHA)
    assert -0.08 < found.bound < (12 - 20) / 300
    for margin in (-found.bound + 1e-6, -found.bound - 1e-6):
        verdict = non_inferior_share(12, 20, 300, margin, ALPHA).verdict
        assert (verdict == "go") == (margin > -found.bound)
    assert found.p_go + found.p_no_go == pytest.approx(1.0)


def test_where_nothing_changed_the_rule_of_three_decides() -> None:
    few, many = (unvaried(0.0, n, -1.0, 1.0, 0.02, ALPHA) for n in (50, 400))
    assert (few.verdict, many.verdict) == ("inconclusive", "go")
    assert many.bound == pytest.approx(-3.0 / 400, rel=0.01)


def test_holm_over_the_rules_and_ends_that_agree_with_it() -> None:
    asked = [Question(d, 1.0, 0.5, 99, 100) for d in (-0.02, -0.05, -0.1)]
    found = answers(asked, ALPHA)
    for one in found:
        assert one.interval is not None
        assert (one.verdict == "go") == (one.interval[0] > -1.0)
    alone = [answers([one], ALPHA)[0] for one in asked]
    assert {one.verdict for one in alone} == {"go"}
    assert {one.verdict for one in found} == {"inconclusive"}  # none is surest enough of three
    assert found[0].p_go == pytest.approx(3 * known(alone[0].p_go))
    passed = answers([*asked, Question(0.9, 1.0, 0.5, 99, 100)], ALPHA)
    assert passed[3].verdict == "go"


def test_the_samples_asked_for_settle_it_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(-0.1, 1.0, 100)
    first += -0.1 - first.mean()  # as the true difference is
    (found,) = answers([_of(first, 0.25)], ALPHA)
    assert found.verdict == "inconclusive"
    assert found.more is not None
    verdicts = [
        answers([_of(rng.normal(-0.1, first.std(ddof=1), 100 + found.more), 0.25)], ALPHA)[
            0
        ].verdict
        for _ in range(600)
    ]
    assert verdicts.count("go") / 600 == pytest.approx(0.8, abs=0.06)


def test_critical_rules_decide_and_supporting_ones_can_hold_back() -> None:
    assert together(["go", "go"]) == "go"
    assert together(["go", "inconclusive"]) == "inconclusive"
    assert together(["go", "no_go"], ["go"]) == "no_go"
    assert together(["go"], ["no_go"]) == "inconclusive"
    assert together([]) == "inconclusive"


def test_sequential_answers_do_not_depend_on_when_one_looks() -> None:
    drawn = np.random.default_rng(1).choice([-1.0, 0.0], 400, p=[0.3, 0.7])
    asked = Question(-0.3, 0.05, 0.1, 399, 400, running=Running(drawn, -1.0, 1.0))
    (found,) = answers([asked], ALPHA)
    assert found.verdict == "no_go"
    assert found.p_go is None


def test_twenty_looks_keep_the_error_below_alpha_and_plain_gates_do_not() -> None:
    kind, runs = "0/1, one in five changes", 120
    always = looked(kind, 400, runs, rules=1, looks=20, sequential=True)
    plain = looked(kind, 400, 60, rules=1, looks=20, sequential=False)
    assert always.go <= ALPHA
    assert always.no_go <= ALPHA
    assert plain.go + plain.no_go > 4 * ALPHA


def _of(drawn: Floats, margin: float) -> Question:
    error = float(drawn.std(ddof=1)) / len(drawn) ** 0.5
    return Question(float(drawn.mean()), margin, error, len(drawn) - 1, len(drawn))
