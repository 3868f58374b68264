"""Which two models fight next, and on which sides."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection

from metrics.core.rows import Floats
from metrics.statistics.pair_choice import one_after_another, standing
from service.arenas import store
from service.arenas.store import Arena, PairCount

MOST_AHEAD = 32  # battles without a vote that are reckoned with


def pair(db: Connection, arena: Arena) -> tuple[str, str]:
    """The two models whose order is least known after all votes, in an order by chance.

    Battles that wait for a vote count as asked, so that people who come at once are not all sent to
    the same two. A model that gave no answer just now rests, where two others are there.
    """
    resting = store.resting(db, arena.id)
    fit = [one for one in arena.models if one not in resting]
    names = fit if len(fit) >= 2 else arena.models
    wins, ties = tables(names, store.pair_counts(db, arena.id))
    ahead = min(store.count_fought(db, arena.id), MOST_AHEAD)
    *_, (first, second) = one_after_another(standing(wins, ties), ahead + 1)
    two = (names[first], names[second])
    return two if secrets.randbelow(2) else two[::-1]


def tables(names: Sequence[str], counts: Sequence[PairCount]) -> tuple[Floats, Floats]:
    """(N, N) how often each model won against each, and how often they tied, of those named."""
    place = {name: at for at, name in enumerate(names)}
    wins = np.zeros((len(names), len(names)))
    ties = np.zeros_like(wins)
    for one in counts:
        if not {one.model_a, one.model_b} <= place.keys():
            continue
        a, b = place[one.model_a], place[one.model_b]
        if one.choice == "a":
            wins[a, b] += one.votes
        elif one.choice == "b":
            wins[b, a] += one.votes
        else:
            ties[a, b] += one.votes
            ties[b, a] += one.votes
    return wins, ties
