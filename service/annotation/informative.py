"""Which pair of systems to ask about next: the one whose order is least known.

Pairs that are being judged just now count as asked, so that people who ask at once are not all sent
to the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from metrics.core.rows import Floats
from metrics.statistics.pair_choice import Standing, ranked, standing
from service.annotation import slots_store, votes_store
from service.annotation.kept import Kept
from service.annotation.store import Project

MOST_AHEAD = 32  # pairs being judged that are reckoned with
MOVED = 0.01  # of the votes, as many new ones leave a standing as it is


@dataclass(frozen=True, slots=True)
class Seen:
    """A standing, and the votes that it is of: (N, N) tables."""

    wins: Floats
    ties: Floats
    standing: Standing

    def is_near(self, wins: Floats, ties: Floats) -> bool:
        """Whether it is good enough after these votes: few are new, on pairs that had some."""
        before, now = self.wins + self.wins.T + self.ties, wins + wins.T + ties
        moved = np.abs(wins - self.wins).sum() + np.abs(ties - self.ties).sum() / 2
        same_pairs = np.array_equal(before > 0, now > 0)
        return same_pairs and bool(moved <= MOVED * before.sum() / 2)


SEEN: Kept[Seen] = Kept()  # by project: people who come at once are not each fitted for


def prepare() -> None:
    """Load what `pairs` computes with, half a second, before somebody waits for an item."""
    ranked(standing(np.zeros((2, 2)), np.zeros((2, 2))), 0)


def pairs(db: Connection, project: Project) -> Iterator[tuple[str, str]]:
    """All pairs of the project's systems, that first which a vote tells most about."""
    names = sorted({one["system"] for one in project.systems})
    after = standing_after(project.id, *_counts(db, project, names))
    ahead = min(slots_store.count_held(db, project.id), MOST_AHEAD)
    for first, second in ranked(after, ahead):
        yield names[first], names[second]


def standing_after(project: str, wins: Floats, ties: Floats) -> Standing:
    """The standing after about these votes, (N, N) tables of a project's systems."""
    seen = SEEN.get(project)
    if seen is None or not seen.is_near(wins, ties):
        seen = Seen(wins, ties, standing(wins, ties))
        SEEN.add(project, seen)
    return seen.standing


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
