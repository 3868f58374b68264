"""Which pair of systems to ask about next: the one whose order is least known.

Pairs that are being judged just now count as asked, so that people who ask at once are not all sent
to the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from sqlalchemy import Connection

from metrics.core.rows import Floats
from metrics.statistics.pair_choice import Candidates, choose, worth
from service.annotation import slots_store, votes_store
from service.annotation.store import Project

MOST_AHEAD = 32  # pairs being judged that are reckoned with


def prepare() -> None:
    """Load what `pairs` computes with, half a second, before somebody waits for an item."""
    worth(np.zeros((2, 2)), np.zeros((2, 2)))


def pairs(db: Connection, project: Project) -> Iterator[tuple[str, str]]:
    """All pairs of the project's systems, that first which a vote tells most about."""
    names = sorted({one["system"] for one in project.systems})
    wins, ties = _counts(db, project, names)
    first, second = np.triu_indices(len(names), 1)
    ahead = min(slots_store.count_held(db, project.id), MOST_AHEAD)
    many = ahead + 1  # a pair may be chosen again and again
    candidates = Candidates(
        np.tile(first, many), np.tile(second, many), np.zeros(many * len(first), np.int64)
    )
    best = int(choose(wins, ties, candidates, many)[-1]) % len(first)
    yield names[first[best]], names[second[best]]
    value = worth(wins, ties)[first, second]  # of the others, where nothing of the best is left
    for at in np.argsort(-value, kind="stable").tolist():
        if at != best:
            yield names[first[at]], names[second[at]]


def _counts(db: Connection, project: Project, names: Sequence[str]) -> tuple[Floats, Floats]:
    """(N, N) how often each system won against each, and how often they tied."""
    place = {name: at for at, name in enumerate(names)}
    wins = np.zeros((len(names), len(names)))
    ties = np.zeros_like(wins)
    for one in votes_store.choices(db, project.id):
        a, b = (place[name] for name in one.systems)
        if one.choice == "tie":
            ties[a, b] += one.count
            ties[b, a] += one.count
        else:
            better, worse = (a, b) if one.choice == "a" else (b, a)
            wins[better, worse] += one.count
    return wins, ties
