"""Dry runs of training jobs: asked by the API, answered by a worker, then deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from service.db.identifiers import new
from service.db.notices import notify
from service.db.tables import previews
from service.settings import Settings

SECONDS_KEPT = 3600  # of a request: nobody waits for an answer that long


def add(db: Connection, request: Mapping[str, Any]) -> str:
    """Store a request and return its id."""
    id = new("preview")
    db.execute(insert(previews).values(id=id, request=dict(request)))
    return id


def get(db: Connection, preview: str) -> Mapping[str, Any] | None:
    """The request; None where nobody waits for it any more."""
    found: Mapping[str, Any] | None = db.scalar(
        select(previews.c.request).where(previews.c.id == preview)
    )
    return found


def answer(db: Connection, preview: str, response: Mapping[str, Any]) -> None:
    """Store the answer, and wake the one who asked."""
    db.execute(update(previews).where(previews.c.id == preview).values(response=dict(response)))
    notify(db, preview)


def collect(db: Connection, preview: str) -> Mapping[str, Any] | None:
    """The answer, once there is one; the request is deleted with it."""
    found: Mapping[str, Any] | None = db.scalar(
        delete(previews)
        .where(previews.c.id == preview, previews.c.response.is_not(None))
        .returning(previews.c.response)
    )
    return found


def abandon(db: Connection, preview: str) -> None:
    """Nobody waits any more."""
    db.execute(delete(previews).where(previews.c.id == preview))


def forget_old(db: Connection, settings: Settings) -> None:
    """Delete requests that a killed API process left behind."""
    age = text("make_interval(secs => :seconds)").bindparams(seconds=SECONDS_KEPT)
    db.execute(delete(previews).where(previews.c.created_at < func.now() - age))
