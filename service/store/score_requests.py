"""Requests of `POST /v1/score`: written by the API, measured together by a worker, then deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from service.identifiers import new
from service.notices import notify
from service.tables import score_requests


@dataclass(frozen=True, slots=True)
class Pending:
    id: str
    request: Mapping[str, Any]


def add(db: Connection, group: bytes, request: Mapping[str, Any]) -> str:
    made = new("score")
    db.execute(insert(score_requests).values(id=made, group=group, request=dict(request)))
    return made


def take(db: Connection, request_id: str, limit: int) -> list[Pending]:
    """The request and others of its group still unanswered, locked until the transaction ends.

    Empty when another worker has it, or it is answered or gone.
    """
    own = db.execute(
        select(score_requests)
        .where(score_requests.c.id == request_id, score_requests.c.response.is_(None))
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if own is None:
        return []
    others = db.execute(
        select(score_requests)
        .where(
            score_requests.c.group == own.group,
            score_requests.c.id != request_id,
            score_requests.c.response.is_(None),
        )
        .order_by(score_requests.c.id)
        .limit(limit - 1)
        .with_for_update(skip_locked=True)
    )
    return [Pending(row.id, row.request) for row in [own, *others]]


def answer(db: Connection, request_id: str, response: Mapping[str, Any]) -> None:
    """Store the answer unless there is one, and wake the one who asked."""
    db.execute(
        update(score_requests)
        .where(score_requests.c.id == request_id, score_requests.c.response.is_(None))
        .values(response=dict(response))
    )
    notify(db, request_id)


def collect(db: Connection, request_id: str) -> Mapping[str, Any] | None:
    """The answer, once there is one; the request is deleted with it."""
    row = db.execute(
        delete(score_requests)
        .where(score_requests.c.id == request_id, score_requests.c.response.is_not(None))
        .returning(score_requests.c.response)
    ).one_or_none()
    return row.response if row is not None else None


def abandon(db: Connection, request_id: str) -> None:
    """Nobody waits any more."""
    db.execute(delete(score_requests).where(score_requests.c.id == request_id))


def purge(db: Connection, older_than_seconds: int = 3600) -> None:
    """Delete what a killed API process left behind."""
    age = text("make_interval(secs => :seconds)").bindparams(seconds=older_than_seconds)
    db.execute(delete(score_requests).where(score_requests.c.created_at < func.now() - age))
