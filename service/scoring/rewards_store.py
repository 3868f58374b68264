"""Stored rewards."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from metrics.core.names import hint
from service.db.reward_tables import rewards
from service.db.stored import Stored
from service.errors import not_found


@dataclass(frozen=True, slots=True)
class StoredReward(Stored):
    """A reward by its name."""

    name: str
    content: Mapping[str, Any]
    created_at: datetime


def create(db: Connection, name: str, content: Mapping[str, Any], models: Collection[str]) -> bool:
    """Whether there was no reward of this name, which is now."""
    values = {"name": name, "content": dict(content), "models": sorted(models)}
    made = insert(rewards).values(**values).on_conflict_do_nothing()
    return db.execute(made.returning(rewards.c.name)).one_or_none() is not None


def find(db: Connection, name: str) -> StoredReward | None:
    """The reward of this name."""
    row = db.execute(select(rewards).where(rewards.c.name == name)).one_or_none()
    return StoredReward.from_row(row) if row is not None else None


def require(db: Connection, name: str) -> StoredReward:
    """The reward of this name. Raises 404."""
    found = find(db, name) if "\x00" not in name else None
    if found is None:
        known = [one.name for one in every(db)]
        nearest = hint(name, known) if known else "none has been stored: POST /v1/rewards"
        raise not_found("reward", name[:200], nearest)
    return found


def every(db: Connection) -> list[StoredReward]:
    """All of them, by name."""
    query = select(rewards).order_by(rewards.c.name)
    return [StoredReward.from_row(row) for row in db.execute(query)]


def remove(db: Connection, name: str) -> None:
    """Forget the reward."""
    db.execute(delete(rewards).where(rewards.c.name == name))
