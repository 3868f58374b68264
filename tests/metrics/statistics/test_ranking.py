"""Corrections for many comparisons, and what ranks they leave open."""

import numpy as np
import pytest

from metrics.statistics.many import Pairwise, covariance_test
from metrics.statistics.quantiles import percentiles
from metrics.statistics.ranking import (
    bands,
    chances_of_first,
    holm,
    holm_pairs,
    ranks,
    ranks_apart,
)
from metrics.statistics.resampling import replicate
from metrics.statistics.stepdown import step_down
from metrics.statistics.weights import Floats
from tests.metrics.statistics.simulation import keys, ratio

NAN = float("nan")


@pytest.mark.parametrize(
    ("given", "adjusted"),
    [
        # R: p.adjust(c(.01, .04, .03, .005), "holm")
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([0.01, NAN, 0.02], [0.02, NAN, 0.02]),
        ([], []),
    ],
)
def test_holm(given: list[float], adjusted: list[float]) -> None:
    np.testing.assert_allclose(holm(np.array(given)), adjusted, rtol=1e-12)


def test_ranks_of_a_ladder() -> None:
    """Systems 0 and 1 cannot be told apart, both are better than 2; 3 was not comparable."""
    p = np.array(
        [
            [NAN, 0.40, 0.001, NAN],
            [0.40, NAN, 0.002, NAN],
            [0.001, 0.002, NAN, NAN],
            [NAN, NAN, NAN, NAN],
        ]
    )
    values = np.array([0.9, 0.8, 0.3, 0.1])
    found = ranks(values, p)
    assert found.rank.tolist() == [1, 2, 3, 4]
    assert found.best.tolist() == [1, 1, 3, 1]
    assert found.worst.tolist() == [3, 3, 4, 4]
    down = ranks(values, p, higher_is_better=False)
    assert down.rank.tolist() == [4, 3, 2, 1]
    assert down.best.tolist() == [2, 2, 1, 1]
    assert down.worst.tolist() == [4, 4, 2, 4]


def test_an_incomplete_system_stands_last_and_is_better_than_nobody() -> None:
    """System 2 has the best value, and is ahead of 0 on what both have: it left out the rest."""
    p = np.array([[NAN, 0.4, 0.001], [0.4, NAN, 0.002], [0.001, 0.002, NAN]])
    values = np.array([0.5, 0.6, 0.9])
    differences = np.array([[0.0, -0.1, -0.3], [0.1, 0.0, 0.2], [0.3, -0.2, 0.0]])
    incomplete = np.array([False, False, True])
    found = ranks(values, p, differences=differences, incomplete=incomplete)
    assert found.rank.tolist() == [2, 1, 3]
    assert found.best.tolist() == [1, 1, 2]  # 1 is better than it, by what both have
    assert found.worst.tolist() == [3, 2, 3]
    assert np.isnan(found.p_values[0, 2])
    assert found.p_values[1, 2] == pytest.approx(0.004)
    down = ranks(
        -values, p, differences=-differences, incomplete=incomplete, higher_is_better=False
    )
    assert down.rank.tolist() == found.rank.tolist()
    assert down.worst.tolist() == found.worst.tolist()


def test_equal_values_share_a_rank() -> None:
    found = ranks(np.array([1.0, 2.0, 2.0]), np.full((3, 3), 1.0))
    assert found.rank.tolist() == [3, 1, 1]
    assert found.best.tolist() == [1, 1, 1]
    assert found.worst.tolist() == [3, 3, 3]
    assert ranks(np.array([1.0]), np.full((1, 1), NAN)).worst.tolist() == [1]
    with pytest.raises(ValueError, match="only systems with a value"):
        ranks(np.array([1.0, NAN]), np.ones((2, 2)))


def board(rng: np.random.Generator, n: int, skills: Floats) -> tuple[Floats, Pairwise, Floats]:
    """Values, tests and replicates of systems over common units."""
    hard = rng.normal(size=n)
    values, drawn = [], []
    for skill in skills:
        rows = np.stack([hard + skill + rng.normal(size=n), np.ones(n)], 1)
        values.append(ratio(rows.sum(0, keepdims=True)))
        drawn.append(replicate(rows, keys(n), lambda sums: ratio(sums)[..., None], 0, 1000))
    found, replicates = np.concatenate(values), np.concatenate(drawn, axis=1)
    return found, covariance_test(found, replicates, n), replicates


def test_a_large_board_can_be_significant() -> None:
    """16 systems, 120 pairs: counted p-values of 1,000 replicates could never pass Holm."""
    values, pairs, drawn = board(np.random.default_rng(0), 400, np.linspace(0.0, 7.5, 16))
    found = ranks(values, pairs.p_values)
    assert found.rank.tolist() == list(range(16, 0, -1))
    assert found.best.tolist() == found.worst.tolist() == found.rank.tolist()
    assert 120 / 1001 > 0.05
    assert found.band.tolist() == found.rank.tolist()
    low, high = percentiles(drawn, 0.95)
    apart = ranks_apart(values, low, high, 0.95)
    assert apart.rank.tolist() == found.rank.tolist()
    assert (apart.best <= found.best).all()
    assert (apart.worst >= found.worst).all()
    assert apart.best.max() > 8  # far ones are told apart


def test_rank_intervals_hold_all_true_ranks_at_once() -> None:
    """Ten equal systems, few units: any significant pair is an error; at most 5% of boards may have
    one. With the tail of the normal, 13% had."""
    rng = np.random.default_rng(1)
    wrong = np.zeros(3)
    for _ in range(150):
        values, pairs, drawn = board(rng, 20, np.zeros(10))
        low, high = percentiles(drawn, 0.95)
        found = (
            ranks(values, pairs.p_values),
            ranks(values, step_down(pairs, drawn), correct=np.copy),
            ranks_apart(values, low, high, 0.95),
        )
        wrong += [bool((one.best > 1).any()) for one in found]
    assert (wrong <= 150 * 0.05 + 3 * (150 * 0.05 * 0.95) ** 0.5).all(), wrong


def test_the_step_down_finds_at_least_what_holm_does() -> None:
    """Two groups of systems that are alike: 100 of the 190 pairs differ, by two errors or three."""
    rng = np.random.default_rng(2)
    more = []
    for _ in range(10):
        _, pairs, drawn = board(rng, 100, np.repeat([0.0, 0.55], 10))
        stepped = step_down(pairs, drawn)
        upper = np.triu_indices(20, 1)
        more.append(
            (stepped[upper] <= 0.05).sum() - (holm_pairs(pairs.p_values)[upper] <= 0.05).sum()
        )
        order = np.argsort(pairs.p_values[upper], kind="stable")
        assert (np.diff(stepped[upper][order]) >= 0).all()
    assert sum(more) > 0


def test_chances_of_first() -> None:
    drawn = np.array([[1.0, 2.0, 2.0], [3.0, 2.0, 1.0], [NAN, 2.0, 1.0], [NAN, NAN, NAN]])
    assert chances_of_first(drawn).tolist() == pytest.approx([1 / 3, 1 / 2, 1 / 6])
    assert chances_of_first(drawn, higher_is_better=False).tolist() == pytest.approx(
        [1 / 3, 0.0, 2 / 3]
    )
    assert np.isnan(chances_of_first(np.full((2, 1), NAN))).all()


def test_bands_begin_with_the_first_that_is_worse() -> None:
    worse = np.zeros((4, 4), np.bool_)
    worse[2, 0] = worse[3, 0] = worse[3, 1] = True  # not 3 than 2
    assert bands(np.array([1, 2, 3, 4]), lambda at, first: bool(worse[at, first])).tolist() == [
        1,
        1,
        2,
        2,
    ]
    assert bands(np.array([1, 1]), lambda at, first: False).tolist() == [1, 1]
