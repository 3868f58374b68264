"""Idempotency keys: one key and body, one answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from service.db.tables import idempotency_keys

HOURS_KEPT = 48


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered before; `same_body` is False when the key was used for something else."""

    same_body: bool
    status: int
    response: Mapping[str, Any]


def claim(db: Connection, key: str, path: str, body: bytes) -> Answer | None:
    """None when the key is now ours, otherwise the earlier answer.

    A second request with the key waits here until the first one's transaction ends.
    """
    digest = hashlib.sha256(body).digest()
    made = db.execute(
        insert(idempotency_keys)
        .values(key=key, path=path, body=digest)
        .on_conflict_do_nothing()
        .returning(idempotency_keys.c.key)
    ).one_or_none()
    if made is not None:
        return None
    row = db.execute(
        select(idempotency_keys).where(
            idempotency_keys.c.key == key, idempotency_keys.c.path == path
        )
    ).one()
    return Answer(row.body == digest, row.status or 200, row.response or {})


def purge(db: Connection, older_than_hours: int = HOURS_KEPT) -> None:
    """Forget keys that nobody will come back with."""
    age = text("make_interval(hours => :hours)").bindparams(hours=older_than_hours)
    table = idempotency_keys
    old = select(table.c.key, table.c.path).where(table.c.created_at < func.now() - age)
    unlocked = old.with_for_update(skip_locked=True)
    db.execute(delete(table).where(tuple_(table.c.key, table.c.path).in_(unlocked)))


def remember(db: Connection, key: str, path: str, status: int, response: Mapping[str, Any]) -> None:
    db.execute(
        update(idempotency_keys)
        .where(idempotency_keys.c.key == key, idempotency_keys.c.path == path)
        .values(status=status, response=dict(response))
    )
