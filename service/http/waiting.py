"""Waiting for long work without holding a database session: `Prefer: wait`, what a worker answers,
event streams."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

import orjson
from sqlalchemy import Connection

from service.db import events, worker_requests
from service.errors import ApiError
from service.http.gate import Gate

RESUME = "resume"  # type of the event that ends a stream before its parent has ended
LONGEST_WAIT = 600.0  # seconds
HEARTBEAT = 15.0  # seconds between comments on a silent stream, so that proxies keep it open
RECHECK = 5.0  # seconds: a lost notice costs no more than this


def preferred_wait(prefer: str | None) -> float:
    """Seconds asked for by `Prefer: wait=30`; 0 without."""
    found = re.search(r"\bwait\s*=\s*(\d+)", prefer or "")
    return min(float(found.group(1)), LONGEST_WAIT) if found else 0.0


async def until(gate: Gate, watched: str, look: Callable[[Connection], bool], wait: float) -> bool:
    """Whether `look` came true within `wait` seconds; it is asked again after every notice."""
    deadline = time.monotonic() + wait
    async with gate.notices.watch(watched) as wake:
        while True:
            if await gate.run(look):
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            await wake.wait(min(left, RECHECK))


async def answer_to(gate: Gate, request: str, wait: float, advice: str = "") -> dict[str, Any]:
    """What a worker answers to `request`. Raises its refusal, and 503, with `advice`, where none
    answers in time.

    The request is gone afterwards, also when the client goes away.
    """
    found: dict[str, Any] = {}

    def look(db: Connection) -> bool:
        response = worker_requests.collect(db, request)
        found.update(response or {})
        return response is not None

    try:
        done = await until(gate, request, look, wait)
    except asyncio.CancelledError:  # the client went away
        await asyncio.shield(gate.run(lambda db: worker_requests.abandon(db, request)))
        raise
    if not done:
        await gate.run(lambda db: worker_requests.abandon(db, request))
        message = f"no worker answered within {wait:.0f} s; see /readyz for the queue{advice}"
        raise ApiError(503, "timed_out", message)
    raise_of(found)
    return found


def raise_of(answer: Mapping[str, Any]) -> None:
    """Raise what a worker answers with where it could not do it (`worker_requests.refuse`)."""
    error = answer.get("error")
    if error:  # workers of earlier versions name no status
        status = error.get("status", 500)
        raise ApiError(status, error["code"], error["message"], error.get("param"))


async def stream(
    gate: Gate,
    parent: str,
    after: int,
    look: Callable[[Connection], tuple[str, Mapping[str, Any]]],
    final: tuple[str, ...],
    longest: float,
) -> AsyncIterator[bytes]:
    """Server-sent events of `parent` from sequence `after` on, until its status is final, or
    `longest` seconds have passed: then the last one says that a reader should resume.

    `look` gives (status, progress). Progress is sent as an event without an id: it is not stored,
    and a reader that resumes by `Last-Event-ID` misses nothing that is.
    """
    shown: Mapping[str, Any] | None = None
    sent_at = time.monotonic()
    deadline = sent_at + longest
    async with gate.notices.watch(parent) as wake:
        while True:
            # status first: whatever made it final has been written before
            status, progress = await gate.run(look)
            fresh = await gate.run(partial(events.read, parent=parent, after=after))
            if progress != shown and status not in final:
                shown = progress
                yield _message("progress", progress)
                sent_at = time.monotonic()
            for event in fresh:
                after = event.sequence
                yield _message(event.type, event.data, event.sequence)
                sent_at = time.monotonic()
            if status in final and not fresh:
                return
            left = deadline - time.monotonic()
            if left <= 0:
                yield _message(RESUME, {"after": after})
                return
            if fresh:
                continue
            if time.monotonic() - sent_at >= HEARTBEAT:
                yield b": still here\n\n"
                sent_at = time.monotonic()
            await wake.wait(min(RECHECK, left))


def _message(type_: str, data: Mapping[str, Any], sequence: int | None = None) -> bytes:
    head = f"id: {sequence}\n" if sequence is not None else ""
    return f"{head}event: {type_}\ndata: ".encode() + orjson.dumps(dict(data)) + b"\n\n"
