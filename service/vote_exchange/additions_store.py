"""What an import into a project reads and changes: people, slots."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select, text

from service.db.annotation_tables import annotation_projects, annotation_slots, annotators
from service.db.stored import Stored


@dataclass(frozen=True, slots=True)
class Person(Stored):
    """An annotator; `imported`: by a file, which had this name."""

    id: str
    name: str
    imported: bool


@dataclass(frozen=True, slots=True)
class Slot(Stored):
    """A numbered slot that a vote may take."""

    id: str
    item_id: str


def lock(db: Connection, project: str) -> None:
    """One import into a project at a time; those who vote in it go on."""
    query = select(annotation_projects.c.id).where(annotation_projects.c.id == project)
    db.execute(query.with_for_update(key_share=True))


def people(db: Connection, project: str) -> list[Person]:
    """Everybody who votes or voted, but for models."""
    own = (annotators.c.project_id == project) & annotators.c.model.is_(None)
    query = select(annotators).where(own)
    return [Person.from_row(row) for row in db.execute(query)]


def lock_people(db: Connection, ids: Collection[str]) -> None:
    """They wait until the transaction ends: nobody takes a slot under it."""
    query = select(annotators.c.id).where(annotators.c.id.in_(sorted(ids)))
    db.execute(query.order_by(annotators.c.id).with_for_update())


def taken(db: Connection, project: str) -> set[tuple[str, str, bool]]:
    """Who holds or voted on which item: (item, person, whether as a repeat)."""
    slots = annotation_slots.c
    query = select(slots.item_id, slots.annotator_id, slots.repeat).where(
        slots.project_id == project, slots.annotator_id.is_not(None)
    )
    return {(row.item_id, row.annotator_id, row.repeat) for row in db.execute(query)}


def free(db: Connection, project: str, items: Collection[str]) -> list[Slot]:
    """Slots of the items that can be given out, the last one first, locked; those that somebody is
    about to take are passed over."""
    slots = annotation_slots.c
    query = (
        select(slots.id, slots.item_id)
        .where(
            slots.project_id == project,
            slots.status.in_(("free", "held")),
            slots.number.is_not(None),
            or_(slots.status == "free", slots.lease_until < func.now()),
            slots.item_id.in_(list(items)),
        )
        .order_by(slots.item_id, slots.number.desc())
        .with_for_update(skip_locked=True)
    )
    return [Slot.from_row(row) for row in db.execute(query)]


def numbers(db: Connection, items: Collection[str]) -> dict[str, int]:
    """How many numbered slots each item has ever had."""
    slots = annotation_slots.c
    query = (
        select(slots.item_id, func.max(slots.number).label("number"))
        .where(slots.item_id.in_(list(items)), slots.number.is_not(None))
        .group_by(slots.item_id)
    )
    return {row.item_id: row.number + 1 for row in db.execute(query)}


def take(db: Connection, slots: Sequence[str], people: Sequence[str]) -> None:
    """Slots are voted on, each by one of the people."""
    query = text(
        "UPDATE annotation_slots s SET status = 'voted', lost_by = s.annotator_id, "
        "annotator_id = v.person, lease_until = NULL "
        "FROM unnest(CAST(:slots AS text[]), CAST(:people AS text[])) v (slot, person) "
        "WHERE s.id = v.slot"
    )
    db.execute(query, {"slots": list(slots), "people": list(people)})
