"""Things that have versions, as gates and calibrations: rows of one name, numbered from 1."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Table, select

LARGEST = 2**31 - 1  # of an int4


def newest(db: Connection, table: Table, name: str) -> Row[*tuple[Any, ...]] | None:
    """The row with the latest version of a name, or with the one of `name@version`."""
    plain, at, version = name.rpartition("@")
    query = select(table).where(table.c.name == (plain if at else name))
    if at:
        numbered = int(version[:20]) if version.isascii() and version.isdigit() else 0
        query = query.where(table.c.version == min(numbered, LARGEST))
    return db.execute(query.order_by(table.c.version.desc()).limit(1)).one_or_none()
