"""What a client waits for while a worker finds it: asked by the API, answered, then deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from service.db.identifiers import new
from service.db.notices import notify
from service.db.tables import worker_requests
from service.settings import Settings

SECONDS_KEPT = 3600  # of a request: nobody waits for an answer that long


def add(db: Connection, kind: str, request: Mapping[str, Any], group: bytes | None = None) -> str:
    """Store a request and return its id, which begins with `kind`; those of one `group` may be
    answered together."""
    id = new(kind)
    db.execute(insert(worker_requests).values(id=id, group=group, request=dict(request)))
    return id


def read(db: Connection, request_id: str) -> Mapping[str, Any] | None:
    """What is asked; None where nobody waits for it any more."""
    query = select(worker_requests.c.request).where(worker_requests.c.id == request_id)
    found: Mapping[str, Any] | None = db.scalar(query)
    return found


def wanted(db: Connection, ids: Sequence[str]) -> bool:
    """Whether somebody still waits for one of them."""
    query = select(worker_requests.c.id).where(worker_requests.c.id.in_(list(ids))).limit(1)
    return db.scalar(query) is not None


def answer(db: Connection, request_id: str, response: Mapping[str, Any]) -> None:
    """Store the answer unless there is one, and wake the one who asked."""
    db.execute(
        update(worker_requests)
        .where(worker_requests.c.id == request_id, worker_requests.c.response.is_(None))
        .values(response=dict(response))
    )
    notify(db, request_id)


def collect(db: Connection, request_id: str) -> Mapping[str, Any] | None:
    """The answer, once there is one; the request is deleted with it."""
    found: Mapping[str, Any] | None = db.scalar(
        delete(worker_requests)
        .where(worker_requests.c.id == request_id, worker_requests.c.response.is_not(None))
        .returning(worker_requests.c.response)
    )
    return found


def abandon(db: Connection, request_id: str) -> None:
    """Nobody waits any more."""
    db.execute(delete(worker_requests).where(worker_requests.c.id == request_id))


def forget_old(db: Connection, settings: Settings) -> None:
    """Delete requests that a killed API process left behind."""
    age = text("make_interval(secs => :seconds)").bindparams(seconds=SECONDS_KEPT)
    old = select(worker_requests.c.id).where(worker_requests.c.created_at < func.now() - age)
    unlocked = old.with_for_update(skip_locked=True)
    db.execute(delete(worker_requests).where(worker_requests.c.id.in_(unlocked)))
