"""Which systems votes can put in one order."""

from __future__ import annotations

import numpy as np

from metrics.statistics.comparison_graph import ComparisonGraph, comparison_graph
from metrics.statistics.votes import Votes, from_counts


def graph(*votes: tuple[int, int, int], systems: int) -> ComparisonGraph:
    found = Votes.of([str(at) for at in range(systems)], *zip(*votes, strict=True))
    return comparison_graph(found.wins, found.ties)


def test_a_ring_of_wins_is_one_strong_part() -> None:
    found = graph((0, 1, 1), (1, 2, 1), (2, 0, 1), systems=3)
    assert found.connected
    assert found.strong.tolist() == [0, 0, 0]
    assert not found.held.any()
    assert not (found.unbeaten | found.winless).any()


def test_a_chain_of_wins_is_held_by_the_prior_from_end_to_end() -> None:
    found = graph((0, 1, 1), (1, 2, 1), systems=3)
    assert found.connected
    assert len(set(found.strong.tolist())) == 3
    assert found.held.all()
    assert found.unbeaten.tolist() == [True, False, False]
    assert found.winless.tolist() == [False, False, True]


def test_a_tie_holds_both_ways_as_a_loss_seen_second_does() -> None:
    assert not graph((0, 1, 1), (1, 0, 0), systems=2).held.any()
    assert not graph((0, 1, 1), (0, 1, -1), systems=2).held.any()


def test_a_group_that_never_lost_to_the_rest_is_unbeaten_as_a_whole() -> None:
    found = graph((2, 3, 1), (3, 2, 1), (3, 0, 1), (0, 1, 0), systems=4)
    assert found.unbeaten.tolist() == [False, False, True, True]
    assert found.winless.tolist() == [True, True, False, False]


def test_the_largest_group_comes_first_and_systems_without_votes_last() -> None:
    found = graph((1, 4, 1), (2, 3, 0), (3, 5, -1), systems=6)
    assert found.component.tolist() == [2, 1, 0, 0, 1, 0]
    assert not found.connected
    assert found.together()[2].tolist() == [False, False, True, True, False, True]


def test_counts_make_the_votes_that_they_are_of() -> None:
    rng = np.random.default_rng(0)
    wins = rng.integers(0, 4, (5, 5)).astype(float)
    np.fill_diagonal(wins, 0)
    ties = np.triu(rng.integers(0, 3, (5, 5)), 1).astype(float)
    votes = from_counts("abcde", wins, ties + ties.T)
    np.testing.assert_array_equal(votes.wins, wins)
    np.testing.assert_array_equal(votes.ties, ties + ties.T)
    assert len(votes) == wins.sum() + ties.sum()
