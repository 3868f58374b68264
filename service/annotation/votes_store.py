"""Votes as they are stored; one that was taken back stays as a row that does not count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, null, select, true, update
from sqlalchemy.dialects.postgresql import insert

from service.db.annotation_tables import annotation_items, annotation_skips, annotation_votes
from service.db.identifiers import new
from service.db.pages import paged
from service.db.stored import Stored


@dataclass(frozen=True, slots=True)
class Vote(Stored):
    """A vote. `answer` is in the order of the item's outputs, `shown` that order as it was seen."""

    id: str
    item_id: str
    slot_id: str | None
    annotator_id: str
    kind: str
    answer: Mapping[str, Any]
    shown: list[int]
    agrees: bool | None
    comment: str | None
    seconds: float | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Listed(Vote):
    """A vote, and what it is on; texts are there if they were asked for."""

    imported: bool
    undone_at: datetime | None
    dataset_id: str | None
    sample: str | None
    systems: list[str]
    prompt: str | None
    outputs: list[str] | None
    expected: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Judged(Stored):
    """An item with the votes on it that stand, but for repeats: answers by annotator."""

    id: str
    dataset_id: str | None
    sample: str | None
    prompt: str | None
    systems: list[str]
    outputs: list[str]
    answers: dict[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Choices(Stored):
    """How many votes chose so between two systems."""

    systems: list[str]
    choice: str
    count: int


@dataclass(frozen=True, slots=True)
class Cast(Stored):
    """What a vote says, and of what: `answer` is in the order of `systems`."""

    annotator_id: str
    answer: Mapping[str, Any]
    dataset_id: str
    sample: str
    systems: list[str]


STANDS = annotation_votes.c.undone_at.is_(None)


def add(
    db: Connection,
    *,
    project: str,
    item: str,
    slot: str,
    annotator: str,
    kind: str,
    answer: Mapping[str, Any],
    shown: list[int],
    agrees: bool | None,
    comment: str | None,
    seconds: float | None,
) -> None:
    """Store a vote. The slot's index lets none be added to one that stands."""
    values = {
        **{"id": new("vote"), "project_id": project, "item_id": item, "slot_id": slot},
        **{"annotator_id": annotator, "kind": kind, "answer": dict(answer), "shown": shown},
        **{"agrees": agrees, "comment": comment, "seconds": seconds},
    }
    db.execute(insert(annotation_votes).values(values))


def of_slot(db: Connection, slot: str) -> Vote | None:
    """The vote of a slot that stands."""
    query = select(annotation_votes).where(annotation_votes.c.slot_id == slot, STANDS)
    row = db.execute(query).one_or_none()
    return Vote.from_row(row) if row is not None else None


def first_answer(db: Connection, annotator: str, item: str) -> Mapping[str, Any] | None:
    """What the annotator said of an item when they had it first."""
    votes = annotation_votes.c
    query = select(votes.answer).where(
        votes.annotator_id == annotator, votes.item_id == item, votes.kind != "repeat", STANDS
    )
    answer: Mapping[str, Any] | None = db.scalar(query)
    return answer


def last(db: Connection, annotator: str) -> Vote | None:
    """The annotator's last vote that stands."""
    votes = annotation_votes.c
    query = select(annotation_votes).where(votes.annotator_id == annotator, STANDS)
    row = db.execute(
        query.order_by(votes.created_at.desc(), votes.id.desc()).limit(1)
    ).one_or_none()
    return Vote.from_row(row) if row is not None else None


def undo(db: Connection, id: str) -> None:
    """The vote does not stand any more."""
    undone = update(annotation_votes).where(annotation_votes.c.id == id)
    db.execute(undone.values(undone_at=func.now()))


def count(db: Connection, annotator: str) -> tuple[int, int]:
    """How many votes of the annotator stand, and how many items they skipped."""
    votes, skips = annotation_votes.c, annotation_skips.c
    voted = select(func.count()).where(votes.annotator_id == annotator, STANDS)
    skipped = select(func.count()).where(skips.annotator_id == annotator)
    row = db.execute(select(voted.scalar_subquery(), skipped.scalar_subquery())).one()
    return row[0], row[1]


def choices(db: Connection, project: str) -> list[Choices]:
    """Votes on pairs that stand, by the systems and what was chosen."""
    items, choice = annotation_items.c, annotation_votes.c.answer["choice"].astext
    query = (
        select(items.systems, choice.label("choice"), func.count().label("count"))
        .join(annotation_items, items.id == annotation_votes.c.item_id)
        .where(annotation_votes.c.project_id == project, annotation_votes.c.kind == "item", STANDS)
        .group_by(items.systems, choice)
    )
    return [Choices.from_row(row) for row in db.execute(query)]


def judged(db: Connection, project: str) -> list[Judged]:
    """The project's items that somebody voted on, without gold questions and controls."""
    items, votes = annotation_items.c, annotation_votes.c
    query = (
        select(
            *(items.id, items.dataset_id, items.sample, items.prompt, items.systems, items.outputs),
            func.jsonb_object_agg(votes.annotator_id, votes.answer).label("answers"),
        )
        .join(annotation_votes, votes.item_id == items.id)
        .where(items.project_id == project, votes.kind == "item", STANDS)
        .group_by(items.id)
        .order_by(items.position)
    )
    return [Judged.from_row(row) for row in db.execute(query)]


def page(
    db: Connection,
    project: str,
    *,
    after: str | None,
    limit: int,
    descending: bool,
    texts: bool = False,
    undone: bool = False,
) -> list[Listed]:
    """Up to `limit` votes of a project, by time.

    texts   with what was asked, the outputs, and the answer that was expected
    undone  those that were taken back, too
    """
    items = annotation_items.c
    columns = (items.prompt, items.outputs, items.expected)
    query = (
        select(
            *(annotation_votes, items.dataset_id, items.sample, items.systems),
            *(one if texts else null().label(one.name) for one in columns),
        )
        .join(annotation_items, items.id == annotation_votes.c.item_id)
        .where(annotation_votes.c.project_id == project, true() if undone else STANDS)
    )
    query = paged(db, query, annotation_votes.c.id, after=after, limit=limit, descending=descending)
    return [Listed.from_row(row) for row in db.execute(query)]


def cast(db: Connection, project: str) -> list[Cast]:
    """All votes on items of samples that stand, oldest first; gold, controls and repeats are left
    out."""
    items, votes = annotation_items.c, annotation_votes.c
    query = (
        select(votes.annotator_id, votes.answer, items.dataset_id, items.sample, items.systems)
        .join(annotation_items, items.id == votes.item_id)
        .where(votes.project_id == project, votes.kind == "item", STANDS)
        .order_by(votes.created_at, votes.id)
    )
    return [Cast.from_row(row) for row in db.execute(query)]
