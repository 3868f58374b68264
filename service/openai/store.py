"""Requests on their way to a worker, and the pieces of a streamed answer on their way back.

A piece is an event whose parent is the request; both go when the answer has been given, or nobody
waits for it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, text

from service.db import worker_requests
from service.db.events import Event, append, read
from service.db.tables import checkpoints, events
from service.db.tables import worker_requests as requests
from service.jobs import queue
from service.settings import Settings

KIND = "openai"
PIECE = "piece"
PAGE = 1000  # events read at a time


def add(db: Connection, kind: str, model: str, content: Mapping[str, Any]) -> str:
    """Store a request and queue it; those of one kind and model are worked on together."""
    group = hashlib.sha256(f"{KIND} {kind} {model}".encode()).digest()
    asked = {"kind": kind, "model": model, **content}
    request = worker_requests.add(db, KIND, asked, group)
    queue.defer(db, "openai.batch", queue="now", request=request)
    return request


def write(db: Connection, request: str, pieces: Sequence[Mapping[str, Any]]) -> None:
    """Add to what was written for the request, by the one worker that has it, and wake who waits.
    Nothing where nobody does."""
    row = select(requests.c.id).where(requests.c.id == request).with_for_update(key_share=True)
    if db.scalar(row) is not None:
        append(db, request, PIECE, {"pieces": list(pieces)})


def written(db: Connection, request: str, after: int = 0) -> list[Event]:
    """Pieces numbered above `after`, in order."""
    return read(db, request, after, PAGE)


def answered(db: Connection, request: str) -> Mapping[str, Any] | None:
    """The end of the answer, once there is one; {"error"} where the request is gone."""
    found = db.execute(select(requests.c.response).where(requests.c.id == request)).one_or_none()
    if found is None:
        message = "the request was given up: it has waited for too long"
        return {"error": {"status": 503, "code": "timed_out", "message": message}}
    response: Mapping[str, Any] | None = found.response
    return response


def forget(db: Connection, request: str) -> None:
    """Delete the request and its pieces."""
    worker_requests.abandon(db, request)
    db.execute(delete(events).where(events.c.parent == request))


def forget_old(db: Connection, settings: Settings) -> None:
    """Delete pieces that a killed API process, or a late worker, left behind."""
    age = text("make_interval(secs => :seconds)").bindparams(seconds=worker_requests.SECONDS_KEPT)
    db.execute(
        delete(events).where(
            events.c.parent.startswith(f"{KIND}_", autoescape=True),
            events.c.created_at < func.now() - age,
        )
    )


def checkpoints_at_hand(db: Connection) -> list[tuple[str, int]]:
    """(id, seconds since the epoch) of all complete checkpoints whose files are kept."""
    query = (
        select(checkpoints.c.id, checkpoints.c.created_at)
        .where(checkpoints.c.deleted.is_(False))
        .order_by(checkpoints.c.id)
    )
    return [(row.id, int(row.created_at.timestamp())) for row in db.execute(query)]
