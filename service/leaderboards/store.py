"""What leaderboards are made of: values of one score on one dataset version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select

from metrics.core.names import plain
from service.db.stored import Stored
from service.db.tables import datasets, evaluations, scores
from service.evaluations.scores import Score, listing
from service.evaluations.store import CONTROL

UNPROMPTED = "none"  # names the protocol of records that are asked as they are, or were not here


@dataclass(frozen=True, slots=True)
class BoardScore(Score):
    """A score with the system it is of. It always has a value and a signature."""

    value: float
    signature: str
    system: str
    finished_at: datetime
    protocol_digest: str | None

    @property
    def prompted(self) -> str:
        """What names the protocol by which records were asked: its digest, or `none`."""
        return self.protocol_digest or UNPROMPTED

    @property
    def label(self) -> str:
        """The score's name, with the slice it is over."""
        return f"{self.name} for {self.slice}" if self.slice else self.name


@dataclass(frozen=True, slots=True)
class BoardName(Stored):
    """A dataset version and a score that a board of it can rank by."""

    id: str
    name: str
    version: int
    score: str


def ranked() -> ColumnElement[bool]:
    """Of evaluations whose systems are ranked: not of controls."""
    return ~evaluations.c.system.startswith(CONTROL, autoescape=True)


def board(
    db: Connection, dataset_id: str, name: str, slice_: str, at: datetime | None = None
) -> list[BoardScore]:
    """Every value of one score on one dataset version, newest evaluation first.

    at  of evaluations that had finished by then
    """
    query = (
        listing()
        .add_columns(evaluations.c.system, evaluations.c.finished_at, evaluations.c.protocol_digest)
        .where(
            evaluations.c.dataset_id == dataset_id,
            evaluations.c.status == "succeeded",
            scores.c.name == name,
            scores.c.slice == slice_,
            scores.c.value.is_not(None),
            ranked(),
        )
        .order_by(evaluations.c.id.desc())
    )
    if at is not None:
        query = query.where(evaluations.c.finished_at <= at)
    return [BoardScore.from_row(row) for row in db.execute(query)]


def names(db: Connection, dataset_id: str) -> list[str]:
    """Scores that a board of this dataset version could rank by."""
    query = (
        select(scores.c.name)
        .join(evaluations, evaluations.c.id == scores.c.evaluation_id)
        .where(evaluations.c.dataset_id == dataset_id, scores.c.value.is_not(None), ranked())
        .distinct()
    )
    return sorted(db.scalars(query))


def named(db: Connection, dataset_id: str, score: str) -> str:
    """The score's own name, where there is one that differs in case, `-` and `_` alone."""
    same = [name for name in names(db, dataset_id) if plain(name) == plain(score)]
    return same[0] if len(same) == 1 else score


def slices(db: Connection, dataset_id: str, name: str) -> list[str]:
    """Slices that have values of one score, as `lang=ru`."""
    query = (
        select(scores.c.slice)
        .join(evaluations, evaluations.c.id == scores.c.evaluation_id)
        .where(
            evaluations.c.dataset_id == dataset_id,
            scores.c.name == name,
            scores.c.slice != "",
            scores.c.value.is_not(None),
            ranked(),
        )
        .distinct()
    )
    return sorted(db.scalars(query))


def boards(db: Connection) -> list[BoardName]:
    """Dataset versions with values, and the scores that they have."""
    query = (
        select(datasets.c.id, datasets.c.name, datasets.c.version, scores.c.name.label("score"))
        .join(evaluations, evaluations.c.dataset_id == datasets.c.id)
        .join(scores, scores.c.evaluation_id == evaluations.c.id)
        .where(scores.c.value.is_not(None), scores.c.slice == "", ranked())
        .distinct()
        .order_by(datasets.c.name, datasets.c.version.desc(), scores.c.name)
    )
    return [BoardName.from_row(row) for row in db.execute(query)]
