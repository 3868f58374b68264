"""Slots: whose turn it is. Each is held by one annotator at a time, and voted on once.

    free -> held -> voted -> held (the vote was taken back)
      ^       |---> free (skipped, or the lease ended and another takes it)

The caller has locked the annotator (`annotators_store.identify`), so that nobody holds two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Interval,
    Select,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.sql.dml import ReturningUpdate

from service.annotation.items_store import new_slot
from service.annotation.store import Project
from service.db.annotation_tables import (
    annotation_items,
    annotation_skips,
    annotation_slots,
)
from service.db.identifiers import new
from service.db.stored import Stored

# as literals, so that every plan may use the index of slots that can be given out
FREE, HELD = literal_column("'free'", Text), literal_column("'held'", Text)


def _open(slot: FromClause) -> tuple[ColumnElement[bool], ...]:
    """Whether `slot` could be given to the annotator now."""
    mine, annotator = annotation_slots.alias("mine"), bindparam("annotator", type_=Text)
    had = exists().where(mine.c.item_id == slot.c.item_id, mine.c.annotator_id == annotator)
    skips = annotation_skips.c
    skipped = exists().where(skips.item_id == slot.c.item_id, skips.annotator_id == annotator)
    return (
        slot.c.project_id == bindparam("project", type_=Text),
        slot.c.status.in_((FREE, HELD)),
        slot.c.number.is_not(None),
        or_(slot.c.status == FREE, slot.c.lease_until < func.now()),
        ~had,
        ~skipped,
    )


def _take(of_systems: bool) -> ReturningUpdate[Any]:
    """Hold the first slot that is open; what another transaction has locked is about to be held:
    it is passed over."""
    slot, first = annotation_slots, annotation_slots.alias("first")
    query = select(first.c.id).where(*_open(first))
    if of_systems:
        items = annotation_items.c
        systems = items.systems == bindparam("systems", type_=ARRAY(Text))
        query = query.where(exists().where(items.id == first.c.item_id, systems))
    query = query.order_by(first.c.position, first.c.number).limit(1)
    taken = query.with_for_update(skip_locked=True).cte("taken")
    values = {"status": "held", "lost_by": slot.c.annotator_id}
    changed = update(slot).where(slot.c.id == taken.c.id)
    changed = changed.values(
        **values,
        annotator_id=bindparam("annotator", type_=Text),
        lease_until=func.now() + bindparam("lasts", type_=Interval),
    )
    return changed.returning(*slot.c)


def _count() -> Select[Any]:
    """How many items are open, up to a limit."""
    return select(func.count()).select_from(_first().subquery())


def _kinds() -> Select[Any]:
    """Of what kind these items are, in their order."""
    few, items = _first().subquery(), annotation_items.c
    return select(items.kind).join(few, items.id == few.c.item_id).order_by(few.c.position)


def _first() -> Select[Any]:
    slot = annotation_slots.alias("slot")
    places = select(slot.c.position, slot.c.item_id).where(*_open(slot)).distinct()
    return places.order_by(slot.c.position).limit(bindparam("limit", type_=Integer))


# asked for with every item: made once
_TAKE, _TAKE_OF, _COUNT, _KINDS = _take(False), _take(True), _count(), _kinds()


@dataclass(frozen=True, slots=True)
class Slot(Stored):
    """A slot; `number` is None of gold questions and repeats, which are made for one annotator."""

    id: str
    item_id: str
    number: int | None
    repeat: bool
    status: str
    annotator_id: str | None
    lost_by: str | None


@dataclass(frozen=True, slots=True)
class Held(Slot):
    """A slot that is an annotator's until its lease ends."""

    lease_until: datetime


def held(db: Connection, annotator: str) -> Slot | None:
    """What the annotator holds, locked; also after its lease, until another has taken it."""
    mine = (annotation_slots.c.annotator_id == annotator) & (annotation_slots.c.status == "held")
    row = db.execute(select(annotation_slots).where(mine).with_for_update()).one_or_none()
    return Slot.from_row(row) if row is not None else None


def find(db: Connection, project: str, id: str) -> Slot | None:
    """The project's slot of this id, locked."""
    mine = (annotation_slots.c.id == id) & (annotation_slots.c.project_id == project)
    row = db.execute(select(annotation_slots).where(mine).with_for_update()).one_or_none()
    return Slot.from_row(row) if row is not None else None


def take(
    db: Connection, project: Project, annotator: str, systems: Sequence[str] | None = None
) -> Held | None:
    """The first slot that is free for the annotator, now held; None where there is none.

    systems  whose outputs the item has; None: any
    """
    lasts = timedelta(minutes=project.lease_minutes)
    values = {"project": project.id, "annotator": annotator, "lasts": lasts}
    if systems is None:
        row = db.execute(_TAKE, values).one_or_none()
    else:
        row = db.execute(_TAKE_OF, {**values, "systems": list(systems)}).one_or_none()
    return Held.from_row(row) if row is not None else None


def count_held(db: Connection, project: str) -> int:
    """How many items of the project are being judged now."""
    slots = annotation_slots.c
    query = select(func.count()).where(
        slots.project_id == project,
        slots.status == HELD,
        slots.number.is_not(None),
        slots.lease_until > func.now(),
    )
    return db.scalar(query) or 0


def count_open(db: Connection, project: str, annotator: str, limit: int) -> int:
    """How many items could be given to the annotator now, up to `limit`."""
    values = {"project": project, "annotator": annotator, "limit": limit}
    return db.scalar(_COUNT, values) or 0


def open_kinds(db: Connection, project: str, annotator: str, limit: int) -> list[str]:
    """Of what kind the items are that could be given to the annotator now, in the order in which
    they are, up to `limit`."""
    values = {"project": project, "annotator": annotator, "limit": limit}
    return list(db.scalars(_KINDS, values))


def make(db: Connection, project: Project, annotator: str, item: str, *, repeat: bool) -> Held:
    """A slot for this annotator alone: a gold question, or an item once more."""
    position = select(annotation_items.c.position).where(annotation_items.c.id == item)
    values = {
        **{"id": new_slot(), "project_id": project.id, "item_id": item, "repeat": repeat},
        **{"status": "held", "annotator_id": annotator, "position": position.scalar_subquery()},
        "lease_until": _end(project),
    }
    row = db.execute(insert(annotation_slots).values(values).returning(*annotation_slots.c)).one()
    return Held.from_row(row)


def extend(db: Connection, project: Project, id: str) -> Held:
    """The slot, held for the length of a lease from now on."""
    changed = update(annotation_slots).where(annotation_slots.c.id == id)
    held = changed.values(status="held", lease_until=_end(project))
    return Held.from_row(db.execute(held.returning(*annotation_slots.c)).one())


def vote(db: Connection, id: str) -> None:
    """held -> voted."""
    _set(db, id, status="voted", lease_until=None)


def free(db: Connection, id: str) -> None:
    """held -> free."""
    _set(db, id, status="free", annotator_id=None, lease_until=None)


def release(db: Connection, slot: Slot) -> None:
    """Somebody else may have it; what is for one annotator alone is not wanted any more."""
    if slot.number is not None:
        free(db, slot.id)
    else:
        _set(db, slot.id, status="skipped", lease_until=None)


def skip(db: Connection, slot: Slot, annotator: str, reason: str | None) -> None:
    """The annotator does not get the item again."""
    values = {
        **{"id": new("skip"), "annotator_id": annotator},
        **{"item_id": slot.item_id, "reason": reason},
    }
    db.execute(insert(annotation_skips).values(values).on_conflict_do_nothing())
    release(db, slot)


def repeatable(db: Connection, annotator: str, after: int) -> list[str]:
    """Items that the annotator voted on once, at least `after` votes ago, in that order."""
    query = text(
        "SELECT v.item_id FROM annotation_votes v WHERE v.annotator_id = :annotator "
        "AND v.undone_at IS NULL AND v.kind = 'item' AND NOT EXISTS (SELECT FROM annotation_slots "
        "s WHERE s.item_id = v.item_id AND s.annotator_id = :annotator AND s.repeat) "
        "ORDER BY v.created_at DESC, v.id DESC OFFSET :after"
    )
    return list(db.scalars(query, {"annotator": annotator, "after": after}))


def _end(project: Project) -> ColumnElement[datetime]:
    return func.now() + timedelta(minutes=project.lease_minutes)


def _set(db: Connection, id: str, **values: object) -> None:
    db.execute(update(annotation_slots).where(annotation_slots.c.id == id).values(**values))
