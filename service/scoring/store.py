"""Which requests of `POST /v1/score` a worker measures together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, text

from service.db.stored import Stored
from service.db.tables import worker_requests


@dataclass(frozen=True, slots=True)
class Pending(Stored):
    """A request that waits for its answer: its metrics and samples, as JSON."""

    id: str
    request: Mapping[str, Any]


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
