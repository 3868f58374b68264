"""Events of a parent (an evaluation, a training job), numbered 1, 2, 3 … without gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from service.db.notices import notify
from service.db.stored import Stored
from service.db.tables import events


@dataclass(frozen=True, slots=True)
class Event(Stored):
    """Something that happened to a parent; `data` is JSON, its fields depend on the type."""

    sequence: int
    type: str
    data: Mapping[str, Any]
    created_at: datetime


def append(db: Connection, parent: str, type_: str, data: Mapping[str, object]) -> int:
    """Add an event and wake whoever waits for `parent`. The caller holds the parent row's lock."""
    number = latest(db, parent) + 1
    db.execute(insert(events).values(parent=parent, sequence=number, type=type_, data=dict(data)))
    notify(db, parent)
    return number


def latest(db: Connection, parent: str) -> int:
    """The number of the last event; 0 before the first."""
    return int(db.scalar(select(func.max(events.c.sequence)).where(events.c.parent == parent)) or 0)


def read(db: Connection, parent: str, after: int = 0, limit: int = 1000) -> list[Event]:
    """The first `limit` events with a number above `after`, in order."""
    query = (
        select(events)
        .where(events.c.parent == parent, events.c.sequence > after)
        .order_by(events.c.sequence)
        .limit(limit)
    )
    return [Event.from_row(row) for row in db.execute(query)]
