"""Who comes next is not fitted for anew, as long as the votes are nearly the same."""

from __future__ import annotations

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics.pair_choice import Candidates, choose, ranked, standing, worth
from service.annotation.informative import standing_after


def tables() -> tuple[Floats, Floats]:
    """Votes on 3 of 4 systems, 240 in all."""
    wins, ties = np.zeros((4, 4)), np.zeros((4, 4))
    wins[0, 1], wins[1, 0], wins[1, 2], wins[2, 1] = 80, 40, 60, 40
    ties[0, 1] = ties[1, 0] = 20
    return wins, ties


def test_a_standing_is_kept_while_few_votes_are_new() -> None:
    wins, ties = tables()
    before = standing_after("kept", wins.copy(), ties.copy())
    for new in (1, 1, -2):  # an undone vote is a change, too
        wins[0, 1] += new
        assert standing_after("kept", wins.copy(), ties.copy()) is before
    ties[0, 1] = ties[1, 0] = ties[0, 1] + 3
    after = standing_after("kept", wins.copy(), ties.copy())
    assert after is not before
    assert np.array_equal(after.found.strengths, standing(wins, ties).found.strengths)
    assert standing_after("other", wins.copy(), ties.copy()) is not after


def test_the_first_vote_on_a_pair_changes_a_standing() -> None:
    wins, ties = tables()
    before = standing_after("first", wins.copy(), ties.copy())
    wins[3, 0] = 1
    after = standing_after("first", wins.copy(), ties.copy())
    assert (before.component[3], after.component[3]) == (1, 0)


def test_pairs_are_ranked_as_they_would_be_chosen() -> None:
    wins, ties = tables()
    wins[3, 2], wins[2, 3] = 30, 30
    first, second = np.triu_indices(4, 1)
    for ahead in (0, 1, 5):
        tiles = [np.tile(one, ahead + 1) for one in (first, second, np.zeros(6, np.int64))]
        last = int(choose(wins, ties, Candidates(*tiles), ahead + 1)[-1]) % 6
        found = ranked(standing(wins, ties), ahead)
        assert found[0] == (first[last], second[last])
        assert sorted(found) == [*zip(first.tolist(), second.tolist(), strict=True)]
        rest = [worth(wins, ties)[pair] for pair in found[1:]]
        assert rest == sorted(rest, reverse=True)
