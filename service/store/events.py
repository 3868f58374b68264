"""Events of a parent (an evaluation, later a training job), numbered 1, 2, 3 … without gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from service.notices import notify
from service.tables import events


@dataclass(frozen=True, slots=True)
class Event:
    sequence: int
    type: str
    data: Mapping[str, Any]
    created_at: Any


def append(db: Connection, parent: str, type_: str, data: Mapping[str, Any]) -> int:
    """Add an event and wake whoever waits for `parent`. The caller holds the parent row's lock."""
    latest = db.scalar(select(func.max(events.c.sequence)).where(events.c.parent == parent)) or 0
    db.execute(
        insert(events).values(parent=parent, sequence=latest + 1, type=type_, data=dict(data))
    )
    notify(db, parent)
    return int(latest) + 1


def read(db: Connection, parent: str, after: int = 0, limit: int = 1000) -> list[Event]:
    query = (
        select(events)
        .where(events.c.parent == parent, events.c.sequence > after)
        .order_by(events.c.sequence)
        .limit(limit)
    )
    return [Event(row.sequence, row.type, row.data, row.created_at) for row in db.execute(query)]
