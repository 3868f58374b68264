"""Corrections for many comparisons, and what ranks they leave open."""

import numpy as np
import pytest

from metrics.statistics.intervals import replicate
from metrics.statistics.paired import from_replicates
from metrics.statistics.ranking import holm, ranks
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


def board(rng: np.random.Generator, n: int, skills: Floats) -> tuple[Floats, Floats]:
    """Values, and every pair's uncorrected p-value, of systems over common units."""
    hard = rng.normal(size=n)
    values, drawn = [], []
    for skill in skills:
        rows = np.stack([hard + skill + rng.normal(size=n), np.ones(n)], 1)
        values.append(ratio(rows.sum(0, keepdims=True)))
        drawn.append(replicate(rows, keys(n), lambda sums: ratio(sums)[..., None], 0, 1000))
    p = np.full((len(skills), len(skills)), NAN)
    for a in range(len(skills)):
        for b in range(a):
            (one,) = from_replicates(drawn[a], drawn[b], values[a], values[b], units=n)
            p[a, b] = p[b, a] = one.p_normal
    return np.concatenate(values), p


def test_a_large_board_can_be_significant() -> None:
    """16 systems, 120 pairs: counted p-values of 1,000 replicates could never pass Holm."""
    values, p = board(np.random.default_rng(0), 400, np.linspace(0.0, 7.5, 16))
    found = ranks(values, p)
    assert found.rank.tolist() == list(range(16, 0, -1))
    assert found.best.tolist() == found.worst.tolist() == found.rank.tolist()
    assert 120 / 1001 > 0.05


def test_rank_intervals_hold_all_true_ranks_at_once() -> None:
    """Five equal systems: any significant pair is an error; at most 5% of boards may have one."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(100):
        values, p = board(rng, 60, np.zeros(5))
        found = ranks(values, p)
        wrong += bool((found.best > 1).any())
    assert wrong <= 100 * 0.05 + 3 * (100 * 0.05 * 0.95) ** 0.5
