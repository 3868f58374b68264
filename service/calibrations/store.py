"""Calibrations as they are stored; looked up by name in `service.catalogue.calibrated`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from service.catalogue.calibrated import Calibration, find, near
from service.db.calibration_tables import calibrations
from service.db.identifiers import new
from service.db.pages import paged
from service.errors import not_found


def put(db: Connection, name: str, content: Mapping[str, Any]) -> tuple[Calibration, bool]:
    """The calibration's version with this content, and whether it is new."""
    db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 26))"), {"name": name})
    latest, content = find(db, name), orjson.loads(orjson.dumps(content))  # as it is read back
    if latest is not None and dict(latest.content) == content:
        return latest, False
    version = latest.version + 1 if latest is not None else 1
    values = {"id": new("cal"), "name": name, "version": version, "content": content}
    row = db.execute(insert(calibrations).values(**values).returning(*calibrations.c)).one()
    return Calibration.from_row(row), True


def require(db: Connection, name: str) -> Calibration:
    """The newest version, or that of `name@version`. Raises 404."""
    found = find(db, name)
    if found is None:
        raise not_found("calibration", name, near(db, name))
    return found


def page(db: Connection, *, after: str | None, limit: int, descending: bool) -> list[Calibration]:
    """Up to `limit` calibrations, the newest version of each."""
    newest = select(func.max(calibrations.c.id)).group_by(calibrations.c.name)
    query = select(calibrations).where(calibrations.c.id.in_(newest))
    query = paged(db, query, calibrations.c.id, after=after, limit=limit, descending=descending)
    return [Calibration.from_row(row) for row in db.execute(query)]
