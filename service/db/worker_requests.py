"""What a client waits for while a worker finds it: asked by the API, answered, then deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from service.db.identifiers import new
from service.db.notices import notify
from service.db.stored import Stored
from service.db.tables import worker_requests
from service.settings import Settings

SECONDS_KEPT = 3600  # of a request: nobody waits for an answer that long


@dataclass(frozen=True, slots=True)
class Pending(Stored):
    """A request that waits for its answer."""

    id: str
    request: Mapping[str, Any]


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


def those_wanted(db: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids that somebody still waits for."""
    query = select(worker_requests.c.id).where(worker_requests.c.id.in_(list(ids)))
    return set(db.scalars(query))


def alike(db: Connection, request_id: str) -> int:
    """How many requests of its group wait, itself included."""
    group = select(worker_requests.c.group).where(worker_requests.c.id == request_id)
    waiting = worker_requests.c.response.is_(None)
    query = select(func.count()).where(worker_requests.c.group == group.scalar_subquery(), waiting)
    return int(db.scalar(query) or 0)


def take(db: Connection, request_id: str, limit: int) -> list[Pending]:
    """The request and others of its group still unanswered, ours until the transaction ends.

    Empty when another worker has it, or it is answered or gone. Advisory locks, not the rows':
    whoever asked can give up meanwhile, and the open transaction holds back no vacuum.
    """
    waiting = worker_requests.c.response.is_(None)
    group = db.scalar(select(worker_requests.c.group).where(worker_requests.c.id == request_id))
    if group is None or not _locked(db, [request_id]):
        return []
    others = (
        select(worker_requests.c.id)
        .where(worker_requests.c.group == group, worker_requests.c.id != request_id, waiting)
        .order_by(worker_requests.c.id)
        .limit(limit - 1)
    )
    ours = [request_id, *_locked(db, list(db.scalars(others)))]
    # read again: one that was locked a moment ago may have been answered since
    found = db.execute(select(worker_requests).where(worker_requests.c.id.in_(ours), waiting))
    rows = {row.id: Pending.from_row(row) for row in found}
    if request_id not in rows:
        return []
    return [rows[one] for one in ours if one in rows]


def _locked(db: Connection, ids: Sequence[str]) -> list[str]:
    """Those of the ids that no other transaction has, in order; they are now this one's."""
    lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:id, 11))")
    return [one for one in ids if db.scalar(lock, {"id": one})]


def answer(db: Connection, request_id: str, response: Mapping[str, Any]) -> None:
    """Store the answer unless there is one, and wake the one who asked."""
    db.execute(
        update(worker_requests)
        .where(worker_requests.c.id == request_id, worker_requests.c.response.is_(None))
        .values(response=dict(response))
    )
    notify(db, request_id)


def refuse(
    db: Connection,
    request_id: str,
    code: str,
    message: str,
    *,
    status: int = 500,
    param: str | None = None,
) -> None:
    """Answer that it could not be done: who waits is told as by an ApiError."""
    error = {"status": status, "code": code, "message": message, "param": param}
    answer(db, request_id, {"error": error})


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
