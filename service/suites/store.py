"""Suites that users declared, beside those that come with the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects.postgresql import insert

from metrics.core.names import hint
from metrics.suites import suites
from metrics.suites.declaration import Suite
from service.db.suite_tables import own_suites
from service.errors import invalid, not_found


@dataclass(frozen=True, slots=True)
class Declared:
    """A suite; `created_at`: of a user's own, None of one that comes with the service."""

    suite: Suite
    created_at: datetime | None = None


def create(db: Connection, suite: Suite) -> bool:
    """Whether there was no suite of this name, which is now."""
    made = (
        insert(own_suites)
        .values(name=suite.name, content=suite.model_dump(mode="json"))
        .on_conflict_do_nothing()
        .returning(own_suites.c.name)
    )
    return db.execute(made).one_or_none() is not None


def every(db: Connection) -> list[Declared]:
    """All suites, those that come with the service first, each by name."""
    own = db.execute(select(own_suites).order_by(own_suites.c.name))
    return [*map(Declared, suites().values()), *map(_own, own)]


def remove(db: Connection, name: str) -> None:
    """Forget a user's suite."""
    db.execute(delete(own_suites).where(own_suites.c.name == name))


def require(db: Connection, name: str, param: str | None = None) -> Declared:
    """The suite of this name. Raises 404, or 422 where the field `param` of a body named it."""
    if name in suites():
        return Declared(suites()[name])
    row = db.execute(select(own_suites).where(own_suites.c.name == name)).one_or_none()
    if row is not None:
        return _own(row)
    missing = not_found("suite", name, hint(name, [one.suite.name for one in every(db)]))
    if param is not None:
        raise invalid(missing.code, missing.message, param)
    raise missing


def _own(row: Row[*tuple[Any, ...]]) -> Declared:
    return Declared(Suite.model_validate(row.content), row.created_at)
