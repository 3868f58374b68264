"""Defined boards as they are stored: what was defined, and the board as it was computed last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from service.datasets.store import Dataset
from service.db.board_tables import defined_boards
from service.db.stored import Stored
from service.leaderboards import boards_store

FORM = 2  # raised when what is computed changes


@dataclass(frozen=True, slots=True)
class Defined(Stored):
    """`known` names what had landed when `content`, JSON, was computed; None: never computed."""

    name: str
    definition: Mapping[str, Any]
    created_at: datetime
    known: str | None
    content: str | None


def create(db: Connection, name: str, definition: Mapping[str, Any]) -> bool:
    """Whether there was no board of this name, which is now."""
    made = (
        insert(defined_boards)
        .values(name=name, definition=dict(definition))
        .on_conflict_do_nothing()
        .returning(defined_boards.c.name)
    )
    return db.execute(made).one_or_none() is not None


def find(db: Connection, name: str) -> Defined | None:
    """The board of this name."""
    row = db.execute(select(defined_boards).where(defined_boards.c.name == name)).one_or_none()
    return Defined.from_row(row) if row is not None else None


def every(db: Connection) -> list[Defined]:
    """All boards, by name."""
    query = select(defined_boards).order_by(defined_boards.c.name)
    return [Defined.from_row(row) for row in db.execute(query)]


def remove(db: Connection, name: str) -> bool:
    """Whether there was such a board, which is no more."""
    return db.execute(delete(defined_boards).where(defined_boards.c.name == name)).rowcount > 0


def lock(db: Connection, name: str) -> None:
    """Until the transaction ends, nobody else computes this board."""
    db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 16))"), {"name": name})


def keep(db: Connection, name: str, known: str, content: str) -> None:
    """Store what was computed."""
    named = defined_boards.c.name == name
    db.execute(update(defined_boards).where(named).values(known=known, content=content))


def known(db: Connection, datasets: list[Dataset]) -> str:
    """Digest of what has landed on these dataset versions and others of their names."""
    landed = {one.name: boards_store.landed(db, one.name) for one in datasets}
    parts = [(one.id, landed[one.name].landed, landed[one.name].landed_at) for one in datasets]
    return hashlib.sha256(orjson.dumps([FORM, *parts])).hexdigest()
