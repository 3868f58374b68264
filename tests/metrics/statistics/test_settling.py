"""As many votes as are said to settle an order do so as often as is asked."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.votes import outcomes
from metrics.statistics.davidson import probabilities
from metrics.statistics.settling import settling
from metrics.statistics.strengths import strengths
from metrics.statistics.votes import Votes
from metrics.statistics.weights import Floats


def test_a_simulation_settles_the_order_as_often_as_promised() -> None:
    """Votes whose numbers are as the model expects them; then so many more, drawn."""
    rng = np.random.default_rng(0)
    share = np.array(probabilities(np.array([0.3]), 0.5)).ravel()
    start = np.rint(150 * share).astype(int)
    votes = Votes.of("ab", [0] * 3, [1] * 3, [1, -1, 0], count=start)
    (found,) = settling(strengths(votes))
    assert found.votes is not None
    assert (found.better, found.worse) == (0, 1)
    settled = [p_after(rng, start, found.difference, found.votes) < 0.05 for _ in range(100)]
    assert np.mean(settled) == pytest.approx(0.8, abs=0.12)  # three standard errors


def p_after(rng: np.random.Generator, start: Floats, difference: float, more: int) -> float:
    drawn = outcomes(rng, np.full(more, difference), 0.5)
    count = start + np.array([(drawn > 0).sum(), (drawn < 0).sum(), (drawn == 0).sum()])
    votes = Votes.of("ab", [0] * 3, [1] * 3, [1, -1, 0], count=count)
    return float(strengths(votes).differences.p_values[0, 1])


def test_settled_equal_and_unconnected_orders_need_none_or_know_none() -> None:
    votes = Votes.of(
        "abcde",
        [0, 1, 1, 2, 3, 4],
        [1, 0, 2, 1, 4, 3],
        [1, 1, 1, 1, 1, 1],
        count=[90, 10, 20, 20, 5, 3],
    )
    first, second, other = settling(strengths(votes))
    assert (first.better, first.votes) == (0, 0)
    assert second.votes is None or second.votes > 1000  # equal but for what 0 leaves
    assert (other.better, other.worse) == (3, 4)
    assert other.votes is not None
    assert other.votes > 50


def test_votes_that_hang_together_need_more() -> None:
    outcome = np.tile([1, 1, 1, -1, -1], 24)
    alone = Votes.of("ab", [0] * 120, [1] * 120, outcome)
    items = [str(at // 15) for at in range(120)]
    sorted_votes = Votes.of("ab", [0] * 120, [1] * 120, np.sort(outcome), items=items)
    plain, together = settling(strengths(alone))[0], settling(strengths(sorted_votes))[0]
    assert plain.votes is not None
    assert together.votes is not None
    assert together.votes > 3 * plain.votes
