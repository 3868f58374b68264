"""Devices that workers have registered."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from service.db.stored import Stored
from service.db.tables import devices


@dataclass(frozen=True, slots=True)
class Device(Stored):
    """A worker's device; `scoring_bytes` of its memory are not training's."""

    name: str
    memory_bytes: int
    scoring_bytes: int


def register(db: Connection, name: str, memory_bytes: int, scoring_bytes: int = 0) -> None:
    """Store what a device has, or that it is still there."""
    values = {"memory_bytes": memory_bytes, "scoring_bytes": scoring_bytes}
    statement = insert(devices).values(name=name, **values)
    changed = {**values, "seen_at": func.now()}
    db.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changed))


def largest(db: Connection) -> Device | None:
    """The device with the most memory for training among those seen in the last day."""
    query = (
        select(devices)
        .where(devices.c.seen_at > func.now() - text("interval '1 day'"))
        .order_by((devices.c.memory_bytes - devices.c.scoring_bytes).desc())
        .limit(1)
    )
    row = db.execute(query).one_or_none()
    return Device.from_row(row) if row is not None else None
