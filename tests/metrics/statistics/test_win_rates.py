"""Win rates are evalica's counts over votes, and their intervals cover."""

from __future__ import annotations

import evalica
import numpy as np
import pytest

from benchmarks.votes import Study
from metrics.statistics.votes import Votes
from metrics.statistics.win_rates import win_rates

FIVE = (1.0, 0.5, 0.0, -0.5, -1.0)


def test_they_are_evalicas_counts_over_votes() -> None:
    votes = Study(FIVE).drawn(np.random.default_rng(0))
    names = {1: evalica.Winner.X, 0: evalica.Winner.Draw, -1: evalica.Winner.Y}
    winners = [names[one] for one in votes.outcome.tolist()]
    counted = evalica.counting(
        votes.first.tolist(), votes.second.tolist(), winners, win_weight=1.0, tie_weight=0.5
    )
    found = win_rates(votes)
    np.testing.assert_allclose(
        found.values * found.votes, counted.scores.sort_index().to_numpy(), rtol=1e-12
    )
    np.testing.assert_array_equal(found.wins, votes.wins.sum(1))
    np.testing.assert_array_equal(found.ties, votes.ties.sum(1))


@pytest.mark.parametrize(
    ("study", "least"),
    [
        (Study((3.0, 0.0, -3.0), annotators=20, items=20, tie=0.2), 0.93),
        (Study(FIVE, annotators=6, items=60, taste=0.8), 0.92),
        (Study(FIVE, annotators=30, items=60, item=1.0, overlap=5), 0.92),
    ],
)
def test_intervals_cover(study: Study, least: float) -> None:
    truth, rng, covered = study.truth()[1], np.random.default_rng(2), []
    for _ in range(100):
        found = win_rates(study.drawn(rng))
        covered.append((found.low <= truth) & (truth <= found.high))
    assert np.mean(covered) > least


def test_who_won_all_has_the_interval_of_as_many_annotators() -> None:
    names = [str(at // 10) for at in range(200)]
    found = win_rates(Votes.of("abc", [0] * 200, [1] * 200, [1] * 200, annotators=names))
    z = 1.959964
    assert found.low[0] == pytest.approx(20 / (20 + z * z), abs=1e-6)
    assert found.high[0] == found.values[0] == 1.0
    assert found.low[1] == 0.0
    assert np.isnan(found.values[2])
    assert np.isnan(found.low[2])


def test_a_single_cluster_allows_no_interval() -> None:
    found = win_rates(
        Votes.of("ab", [0, 0], [1, 1], [1, 0], annotators=["x", "x"], items=["y", "y"])
    )
    assert found.values.tolist() == [0.75, 0.25]
    assert np.isnan(found.low).all()
    assert len(found.warnings) == 2
