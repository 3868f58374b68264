"""Rules as questions: the direction of scores, shares of the baseline, shares of 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from inference.errors import ReportedError
from metrics import find
from metrics.core.differences import Values
from metrics.core.metric import Score
from metrics.statistics.weights import Floats
from service.gates.rules import question
from service.gates.schemas import RuleIn
from service.leaderboards.pairing import Pairing

A = np.array([0.0, 1.0, 1.0, 1.0, 0.0, 1.0])
B = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])


def pair(
    a: Floats,
    b: Floats,
    *,
    higher: bool = True,
    high: float = 1.0,
    names: Sequence[str] | None = None,
) -> Pairing:
    n = len(a)
    left = [np.array([np.delete(one, at).mean() for at in range(n)]) for one in (a, b)]
    values = float(a.mean()), float(b.mean())
    found = Values(*values, left[0], left[1], np.ones(n), 0.0, 0.0, n, n)
    score = Score("s", higher, 0.0, high)
    return Pairing(find("exact_match").bind({}), score, found, (a, b), 0, names)


def rule(**margin: Any) -> RuleIn:
    return RuleIn(score="s", **margin)


def test_a_drop_is_a_change_for_the_worse() -> None:
    assert question(rule(max_drop=0.1), pair(A, B), None, False).difference < 0
    lower = question(rule(max_drop=0.1), pair(A, B, higher=False), None, False)
    assert lower.difference > 0
    assert lower.changed == (2, 1)
    assert question(rule(max_drop=0.1), pair(A, B), None, False).changed == (1, 2)


def test_margins() -> None:
    pairing = pair(A + 10, B + 10, high=float("inf"))
    assert question(rule(min_gain=0.2), pairing, None, False).margin == -0.2
    share = question(rule(max_relative_drop=0.1), pairing, None, False)
    assert share.margin == pytest.approx(0.1 * (B + 10).mean())
    gaps = (A + 10) - 0.9 * (B + 10)
    assert share.error == pytest.approx(gaps.std(ddof=1) / 6**0.5)
    with pytest.raises(ReportedError, match="baseline above 0"):
        question(rule(max_relative_drop=0.1), pair(A, B - B), None, False)


def test_sequential_bounds_compare_with_the_same_margin() -> None:
    asked = question(rule(max_relative_drop=0.1), pair(A, B), None, True)
    running = asked.running
    assert running is not None
    assert running.differences.mean() == pytest.approx(asked.difference)
    assert running.low <= running.differences.min()
    assert running.differences.max() <= running.high
    with pytest.raises(ReportedError, match="bounded"):
        question(rule(max_drop=0.1), pair(A, B, high=float("inf")), None, True)


def test_a_cluster_counts_once_it_is_complete() -> None:
    names = ["x", "y", "x", "y", "y", "z"]
    cluster = {"0": "x", "1": "y", "2": "x", "3": "y", "4": "y", "5": "z", "6": "z"}
    asked = question(rule(max_drop=0.1), pair(A, B, names=names), cluster, True)
    running = asked.running
    assert running is not None
    assert running.weights is not None
    np.testing.assert_allclose(running.differences, [0.0, -1 / 3])  # z lacks a sample
    np.testing.assert_allclose(running.weights, [2 / 3, 1.0])
