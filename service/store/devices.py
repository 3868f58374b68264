"""Devices that workers offer."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from service.tables import devices


def offer(db: Connection, name: str, memory_bytes: int) -> None:
    statement = insert(devices).values(name=name, memory_bytes=memory_bytes)
    values = {"memory_bytes": memory_bytes, "seen_at": func.now()}
    db.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def largest(db: Connection) -> tuple[str, int] | None:
    """The device with the most memory among those seen in the last day."""
    query = (
        select(devices.c.name, devices.c.memory_bytes)
        .where(devices.c.seen_at > func.now() - text("interval '1 day'"))
        .order_by(devices.c.memory_bytes.desc())
        .limit(1)
    )
    row = db.execute(query).one_or_none()
    return (row[0], row[1]) if row is not None else None
