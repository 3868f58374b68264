"""Annotators as they are stored: who has a token of a project, and how they did."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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


@dataclass(frozen=True, slots=True)
class Annotator(Stored):
    """Somebody who may vote; `expired`: the link has ended by itself."""

    id: str
    project_id: str
    name: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    expired: bool


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


EXPIRED = (annotators.c.expires_at <= func.now()).label("expired")


def add(
    db: Connection, project: str, name: str, token_digest: bytes, lasts: timedelta
) -> Annotator:
    """Store an annotator, whose token has this digest."""
    values = {"project_id": project, "name": name, "token_digest": token_digest}
    made = (
        insert(annotators)
        .values(id=new("annotator"), expires_at=func.now() + lasts, **values)
        .returning(annotators, EXPIRED)
    )
    return Annotator.from_row(db.execute(made).one())


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


def identify(db: Connection, token_digest: bytes) -> tuple[Project, Annotator] | None:
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


def _locked(db: Connection, token_digest: bytes) -> Annotator | None:
    """One request of an annotator at a time: two tabs get the same item."""
    mine = annotators.c.token_digest == token_digest
    query = select(annotators, EXPIRED).where(mine).with_for_update(key_share=True)
    row = db.execute(query).one_or_none()
    return Annotator.from_row(row) if row is not None else None


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
    """The annotator is no more, nor is anything that they did; returns how many votes that were.
    Others are asked in their place."""
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
