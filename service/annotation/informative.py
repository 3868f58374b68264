"""Which pair of systems to ask about next: the one whose order is least known.

Pairs that are being judged just now count as asked, so that people who ask at once are not all sent
to the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from sqlalchemy import Connection

from metrics.core.rows import Floats
from metrics.statistics.pair_choice import by_worth, one_after_another, standing
from service.annotation import slots_store, votes_store
from service.annotation.kept import Kept
from service.annotation.store import Project

MOST_AHEAD = 32  # pairs being judged that are reckoned with
MOVED = 0.01  # of the votes, as many new ones leave an order as it is


@dataclass(frozen=True, slots=True)
class Order:
    """Which pairs to ask about after these votes, (N, N) tables.

    ahead  one after another, before any of them is answered
    rest   all pairs, by what a vote on them is worth
    """

    wins: Floats
    ties: Floats
    ahead: Sequence[tuple[int, int]]
    rest: Sequence[tuple[int, int]]

    @classmethod
    def after(cls, wins: Floats, ties: Floats) -> Order:
        """The order after these votes."""
        found = standing(wins, ties)
        return cls(wins, ties, one_after_another(found, MOST_AHEAD + 1), by_worth(found))

    def is_near(self, wins: Floats, ties: Floats) -> bool:
        """Whether it is good enough after these votes: few are new, on pairs that had some."""
        before, now = self.wins + self.wins.T + self.ties, wins + wins.T + ties
        moved = np.abs(wins - self.wins).sum() + np.abs(ties - self.ties).sum() / 2
        same_pairs = np.array_equal(before > 0, now > 0)
        return same_pairs and bool(moved <= MOVED * before.sum() / 2)


KEPT: Kept[Order] = Kept()  # by project: people who come at once are not each fitted for
FITTING = Lock()  # threads that fit side by side wait for the interpreter at each step


def prepare() -> None:
    """Load what `pairs` computes with, half a second, before somebody waits for an item."""
    Order.after(np.zeros((2, 2)), np.zeros((2, 2)))


def pairs(db: Connection, project: Project) -> Iterator[tuple[str, str]]:
    """All pairs of the project's systems, that first which a vote tells most about."""
    names = sorted({one["system"] for one in project.systems})
    found = order(project.id, *_counts(db, project, names))
    best = found.ahead[min(slots_store.count_held(db, project.id), MOST_AHEAD)]
    for first, second in (best, *(pair for pair in found.rest if pair != best)):
        yield names[first], names[second]


def order(project: str, wins: Floats, ties: Floats) -> Order:
    """The order after about these votes, (N, N) tables of a project's systems; while another thread
    fits, that of a moment before."""
    kept = KEPT.get(project)
    if kept is not None and kept.is_near(wins, ties):
        return kept
    if not FITTING.acquire(blocking=kept is None) and kept is not None:
        return kept
    try:
        made = Order.after(wins, ties)
    finally:
        FITTING.release()
    KEPT.add(project, made)
    return made


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
