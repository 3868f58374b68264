"""Annotators as they are stored: people with a token of a project, models, and how they did."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.annotation.store import Project
from service.db.annotation_tables import (
    annotation_projects,
    annotation_skips,
    annotation_slots,
    annotation_votes,
    annotators,
)
from service.db.identifiers import new
from service.db.pages import paged
from service.db.stored import Stored

Status = Literal["active", "expired", "revoked", "judging", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Annotator(Stored):
    """A person, or a model, which has no link: `model` is None of people, and `options` are how it
    is asked. `expired`: the link has ended by itself; `finished_at`: the model is done, or was
    stopped by the `error`."""

    id: str
    project_id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    expired: bool
    model: str | None
    options: Mapping[str, Any] | None
    finished_at: datetime | None
    error: str | None

    @property
    def status(self) -> Status:
        """Whether the person may vote, or the model judges."""
        if self.revoked_at is not None:
            return "revoked"
        if self.model is None:
            return "expired" if self.expired else "active"
        if self.finished_at is None:
            return "judging"
        return "done" if self.error is None else "failed"


@dataclass(frozen=True, slots=True)
class Person(Annotator):
    """Somebody who has a link."""

    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Work(Stored):
    """What an annotator did; of gold, controls and repeats: how many, and how many agreed."""

    votes: int
    skips: int
    gold: int
    gold_agreed: int
    control: int
    control_agreed: int
    repeats: int
    repeats_agreed: int
    seconds: float | None


NO_WORK = Work(0, 0, 0, 0, 0, 0, 0, 0, None)
EXPIRED = (annotators.c.expires_at <= func.now()).is_(True).label("expired")


def add(db: Connection, project: str, name: str, token_digest: bytes, lasts: timedelta) -> Person:
    """Store a person, whose token has this digest."""
    values = {"project_id": project, "name": name, "token_digest": token_digest}
    made = (
        insert(annotators)
        .values(id=new("annotator"), expires_at=func.now() + lasts, **values)
        .returning(annotators, EXPIRED)
    )
    return Person.from_row(db.execute(made).one())


def add_model(
    db: Connection, project: str, name: str, model: str, options: Mapping[str, Any]
) -> Annotator:
    """Store a model that is to judge every item."""
    values = {"project_id": project, "name": name, "model": model, "options": dict(options)}
    made = insert(annotators).values(id=new("annotator"), **values)
    return Annotator.from_row(db.execute(made.returning(annotators, EXPIRED)).one())


def models(db: Connection, project: str) -> list[Annotator]:
    """The models that annotate the project, oldest first."""
    own = (annotators.c.project_id == project) & annotators.c.model.is_not(None)
    query = select(annotators, EXPIRED).where(own).order_by(annotators.c.id)
    return [Annotator.from_row(row) for row in db.execute(query)]


def at_work(db: Connection, id: str, *, lock: bool = False) -> Annotator | None:
    """The model, if it is to be asked on; with `lock` nobody ends it before the transaction."""
    mine = (annotators.c.id == id) & annotators.c.finished_at.is_(None)
    query = select(annotators, EXPIRED).where(mine, annotators.c.revoked_at.is_(None))
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    return Annotator.from_row(row) if row is not None else None


def finish(db: Connection, id: str, error: str | None = None) -> None:
    """The model is asked no further."""
    still = (annotators.c.id == id) & annotators.c.finished_at.is_(None)
    db.execute(update(annotators).where(still).values(finished_at=func.now(), error=error))


def get(db: Connection, project: str, id: str) -> Annotator | None:
    """The project's annotator of this id."""
    mine = (annotators.c.id == id) & (annotators.c.project_id == project)
    row = db.execute(select(annotators, EXPIRED).where(mine)).one_or_none()
    return Annotator.from_row(row) if row is not None else None


def ids(db: Connection, project: str) -> set[str]:
    """Of everybody who may vote, or could."""
    return set(db.scalars(select(annotators.c.id).where(annotators.c.project_id == project)))


def page(
    db: Connection, project: str, *, after: str | None, limit: int, descending: bool
) -> list[Annotator]:
    """Up to `limit` annotators of the project."""
    query = select(annotators, EXPIRED).where(annotators.c.project_id == project)
    query = paged(db, query, annotators.c.id, after=after, limit=limit, descending=descending)
    return [Annotator.from_row(row) for row in db.execute(query)]


def identify(db: Connection, token_digest: bytes) -> tuple[Project, Person] | None:
    """Whose token has this digest. The project stays until the transaction ends."""
    project_query = (
        select(annotation_projects, annotators.c.token_digest)
        .join(annotators, annotators.c.project_id == annotation_projects.c.id)
        .where(annotators.c.token_digest == token_digest)
        .with_for_update(read=True, key_share=True, of=annotation_projects)
    )
    row = db.execute(project_query).one_or_none()
    if row is None or not hmac.compare_digest(bytes(row.token_digest), token_digest):
        return None
    annotator = _locked(db, token_digest)
    return (Project.from_row(row), annotator) if annotator is not None else None


def _locked(db: Connection, token_digest: bytes) -> Person | None:
    """One request of an annotator at a time: two tabs get the same item."""
    mine = annotators.c.token_digest == token_digest
    query = select(annotators, EXPIRED).where(mine).with_for_update(key_share=True)
    row = db.execute(query).one_or_none()
    return Person.from_row(row) if row is not None else None


def lock(db: Connection, id: str) -> None:
    """The annotator waits until the transaction ends."""
    db.execute(select(annotators.c.id).where(annotators.c.id == id).with_for_update())


def revoke(db: Connection, id: str) -> None:
    """The token ends, and what it held goes to others."""
    still = (annotators.c.id == id) & annotators.c.revoked_at.is_(None)
    db.execute(update(annotators).where(still).values(revoked_at=func.now()))
    held = (annotation_slots.c.annotator_id == id) & (annotation_slots.c.status == "held")
    own = update(annotation_slots).where(held, annotation_slots.c.number.is_(None))
    db.execute(own.values(status="skipped", lease_until=None))
    _free(db, held)


def remove(db: Connection, id: str) -> int:
    """The annotator is no more, nor is anything that they did (a model's judgements go with it);
    returns how many votes of a person that were. Others are asked in their place."""
    votes = annotation_votes.c.annotator_id == id
    count = select(func.count()).where(votes, annotation_votes.c.undone_at.is_(None))
    gone = db.scalar(count) or 0
    db.execute(delete(annotation_votes).where(votes))
    slots = annotation_slots.c.annotator_id == id
    project = annotation_projects.c
    overlap = select(project.overlap).where(project.id == annotation_slots.c.project_id)
    number = annotation_slots.c.number  # none of theirs alone, beyond the overlap of imported votes
    only = number.is_(None) | (number >= overlap.scalar_subquery())
    db.execute(delete(annotation_slots).where(slots, only))
    _free(db, slots)
    lost = update(annotation_slots).where(annotation_slots.c.lost_by == id).values(lost_by=None)
    db.execute(lost)
    db.execute(delete(annotation_skips).where(annotation_skips.c.annotator_id == id))
    db.execute(delete(annotators).where(annotators.c.id == id))
    return gone


def work(db: Connection, ids: Sequence[str]) -> dict[str, Work]:
    """What each of the annotators did, without what was taken back."""
    votes, skips = annotation_votes.c, annotation_skips.c
    counts = []
    for kind, name in (("gold", "gold"), ("control", "control"), ("repeat", "repeats")):
        counts.append(func.count().filter(votes.kind == kind).label(name))
        agreed = func.count().filter(votes.kind == kind, votes.agrees)
        counts.append(agreed.label(f"{name}_agreed"))
    skipped = select(func.count()).where(skips.annotator_id == annotators.c.id)
    query = (
        select(
            annotators.c.id,
            func.count(votes.id).label("votes"),
            skipped.scalar_subquery().label("skips"),
            func.percentile_cont(0.5).within_group(votes.seconds).label("seconds"),
            *counts,
        )
        .outerjoin(
            annotation_votes, (votes.annotator_id == annotators.c.id) & votes.undone_at.is_(None)
        )
        .where(annotators.c.id.in_(list(ids)))
        .group_by(annotators.c.id)
    )
    return {row.id: Work.from_row(row) for row in db.execute(query)}


def _free(db: Connection, slots: ColumnElement[bool]) -> None:
    free = {"status": "free", "annotator_id": None, "lease_until": None}
    db.execute(update(annotation_slots).where(slots).values(free))
