"""What is asked next is what is least known, and settles orders sooner than asking all alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.comparison_graph import comparison_graph
from metrics.statistics.davidson import fit, probabilities
from metrics.statistics.pair_choice import Candidates, choose, worth
from metrics.statistics.votes import from_counts
from metrics.statistics.weights import Floats

Ints = NDArray[np.int64]


def counts(strengths: Floats, each: float) -> tuple[Floats, Floats]:
    """(N, N) wins and ties, whole, as strengths have them of so many votes a pair."""
    first, _, tied = probabilities(strengths[:, None] - strengths[None, :], 0.5)
    wins, ties = np.rint(each * first), np.rint(each * tied)
    np.fill_diagonal(wins, 0)
    np.fill_diagonal(ties, 0)
    return wins, ties


def candidates(systems: int, items: int) -> Candidates:
    first, second = np.triu_indices(systems, 1)
    many = items * len(first)
    return Candidates(np.tile(first, items), np.tile(second, items), np.zeros(many, np.int64))


def test_close_neighbours_are_worth_more_than_systems_far_apart() -> None:
    value = worth(*counts(np.array([2.0, 0.1, 0.0, -2.0]), 40))
    assert np.nanargmax(value) in {1 * 4 + 2, 2 * 4 + 1}
    assert value[0, 3] < value[1, 2] / 100
    np.testing.assert_allclose(value, value.T)


def test_a_pair_known_to_be_close_is_asked_less_than_one_hardly_asked() -> None:
    wins, ties = np.zeros((4, 4)), np.zeros((4, 4))
    wins[0, 1] = wins[1, 0] = 400
    wins[1, 2] = wins[2, 1] = wins[2, 3] = wins[3, 2] = 4
    value = worth(wins, ties)
    assert value[0, 1] < value[2, 3] / 10


def test_what_nothing_connects_comes_first_and_once() -> None:
    wins, ties = np.zeros((4, 4)), np.zeros((4, 4))
    wins[0, 1] = wins[1, 0] = 3
    chosen = choose(wins, ties, candidates(4, 3), 4)
    pairs = candidates(4, 3)
    np.add.at(wins, (pairs.first[chosen[:2]], pairs.second[chosen[:2]]), 1)
    assert comparison_graph(wins, ties).connected
    np.add.at(wins, (pairs.first[chosen[2:]], pairs.second[chosen[2:]]), 1)
    assert wins.max() == 3  # nothing was asked twice


def test_the_least_asked_items_of_a_pair_come_first_and_none_twice() -> None:
    wins, ties = counts(np.zeros(2), 10)
    pairs = Candidates(np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0]), np.array([2, 0, 1, 0]))
    assert choose(wins, ties, pairs, 10).tolist() == [1, 3, 2, 0]
    assert choose(wins, ties, pairs, 2).tolist() == [1, 3]


def test_a_batch_spreads_over_pairs_of_like_worth() -> None:
    wins, ties = counts(np.zeros(5), 10)
    pairs = candidates(5, 10)
    chosen = choose(wins, ties, pairs, 20)
    asked = np.bincount(pairs.first[chosen] * 5 + pairs.second[chosen], minlength=25)
    assert asked[asked > 0].tolist() == [2] * 10


def test_it_settles_the_order_with_fewer_votes_than_asking_all_alike() -> None:
    """Neighbours 0.5 apart, groups far apart; votes drawn in batches, 300 in all."""
    strengths = np.array([3.0, 2.5, 0.0, -0.5, -3.0, -3.5])
    wrong = {"chosen": 0, "alike": 0}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        for way in wrong:
            wins, ties = counts(np.zeros(6), 2.0)
            for _ in range(10):
                pairs = candidates(6, 30)
                if way == "chosen":
                    at = choose(wins, ties, pairs, 30)
                else:
                    at = rng.permutation(len(pairs.first))[:30]
                vote(rng, strengths, pairs.first[at], pairs.second[at], wins, ties)
            found = fit(from_counts("abcdef", wins, ties), comparison_graph(wins, ties)).strengths
            wrong[way] += int((np.argsort(-found)[::1] != np.arange(6)).sum())
    assert wrong["chosen"] < 0.6 * wrong["alike"]


def vote(
    rng: np.random.Generator,
    strengths: Floats,
    first: Ints,
    second: Ints,
    wins: Floats,
    ties: Floats,
) -> None:
    """Adds a vote on each pair to the tables."""
    ahead, behind, _ = probabilities(strengths[first] - strengths[second], 0.3)
    chance = rng.random(len(first))
    won, lost = chance < ahead, (chance >= ahead) & (chance < ahead + behind)
    tied = ~(won | lost)
    np.add.at(wins, (first[won], second[won]), 1)
    np.add.at(wins, (second[lost], first[lost]), 1)
    np.add.at(ties, (first[tied], second[tied]), 1)
    np.add.at(ties, (second[tied], first[tied]), 1)
