"""Which pair comes next is not fitted for anew, as long as the votes are nearly the same."""

from __future__ import annotations

from threading import Thread

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics.pair_choice import (
    Candidates,
    by_worth,
    choose,
    one_after_another,
    standing,
    worth,
)
from service.annotation.informative import FITTING, Order, order


def tables() -> tuple[Floats, Floats]:
    """Votes on 3 of 4 systems, 240 in all."""
    wins, ties = np.zeros((4, 4)), np.zeros((4, 4))
    wins[0, 1], wins[1, 0], wins[1, 2], wins[2, 1] = 80, 40, 60, 40
    ties[0, 1] = ties[1, 0] = 20
    return wins, ties


def after(project: str, wins: Floats, ties: Floats) -> Order:
    return order(project, wins.copy(), ties.copy())


def test_an_order_is_kept_while_few_votes_are_new() -> None:
    wins, ties = tables()
    before = after("kept", wins, ties)
    for new in (1, 1, -2):  # an undone vote is a change, too
        wins[0, 1] += new
        assert after("kept", wins, ties) is before
    ties[0, 1] = ties[1, 0] = ties[0, 1] + 3
    anew = after("kept", wins, ties)
    assert anew is not before
    assert anew.rest == by_worth(standing(wins, ties))
    assert after("other", wins, ties) is not anew


def test_while_another_fits_the_order_is_that_of_a_moment_before() -> None:
    wins, ties = tables()
    with FITTING:
        waiting = Thread(target=after, args=("busy", wins, ties))
        waiting.start()  # there is none yet
        waiting.join(0.1)
        assert waiting.is_alive()
    waiting.join()
    before = after("busy", wins, ties)
    with FITTING:
        assert after("busy", 2 * wins, ties) is before
    assert after("busy", 2 * wins, ties) is not before


def test_the_first_vote_on_a_system_changes_the_order() -> None:
    wins, ties = tables()
    assert 3 in after("first", wins, ties).rest[0]  # what nothing connects
    wins[3, 0] = 1
    assert after("first", wins, ties).rest[0] == by_worth(standing(wins, ties))[0]


def test_pairs_come_as_they_would_be_chosen() -> None:
    wins, ties = tables()
    wins[3, 2], wins[2, 3] = 30, 30
    first, second = np.triu_indices(4, 1)
    many = one_after_another(standing(wins, ties), 6)
    for ahead in (1, 2, 6):
        tiles = [np.tile(one, ahead) for one in (first, second, np.zeros(6, np.int64))]
        chosen = choose(wins, ties, Candidates(*tiles), ahead) % 6
        assert many[:ahead] == [*zip(first[chosen], second[chosen], strict=True)]
    value = [worth(wins, ties)[pair] for pair in by_worth(standing(wins, ties))]
    assert len(value) == 6
    assert value == sorted(value, reverse=True)
