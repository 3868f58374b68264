"""Events of an evaluation or a training job, as a page or as a stream: one endpoint's work.

Streams are bounded in number and in time, so that readers who never leave take nobody's place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.types import Receive, Scope, Send

from service.db import events
from service.errors import invalid
from service.http.fields import Limit, Page, page
from service.http.gate import Gate
from service.http.refusals import refuse
from service.http.waiting import stream

LAST = 2**31 - 1  # the largest number that the database's column holds

EventNumber = Annotated[int, Field(ge=0, le=LAST)]

Look = Callable[[Connection], tuple[str, Mapping[str, Any]]]


class EventOut(BaseModel):
    """An event; `id` counts from 1 within its parent."""

    id: int
    object: str = "event"
    type: str
    data: dict[str, Any]
    created_at: datetime


@dataclass(slots=True)
class Streams:
    """The streams of an API process."""

    most: int  # at a time
    seconds: float  # of each
    open: int = 0


class Streamed(StreamingResponse):
    """One of the streams; 503 where there are as many as may be."""

    def __init__(self, content: AsyncIterator[bytes], streams: Streams) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(content, media_type="text/event-stream", headers=headers)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, counted for as long as it lasts."""
        if self._streams.open >= self._streams.most:
            message = (
                f"{self._streams.most} event streams are open, the limit that ASSAY_MAX_STREAMS "
                "sets; ask for the events as a list"
            )
            await refuse(send, 503, "too_many_streams", message, (b"retry-after", b"5"))
            return
        self._streams.open += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.open -= 1


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events, and in which form."""

    streams: Streams
    streamed: bool
    after: int
    limit: int


def _query(
    request: Request,
    accept: Annotated[str, Header(include_in_schema=False)] = "",  # OpenAPI has it as content types
    last_event_id: Annotated[EventNumber | None, Header(alias="Last-Event-ID")] = None,
    after: Annotated[EventNumber, Query()] = 0,
    limit: Annotated[Limit, Query()] = 100,
) -> EventQuery:
    begin = last_event_id if last_event_id is not None else after
    streams: Streams = request.app.state.streams
    return EventQuery(streams, "text/event-stream" in accept, begin, limit)


Events = Annotated[EventQuery, Depends(_query)]


async def answer(
    gate: Gate, parent: str, query: EventQuery, look: Look, final: tuple[str, ...]
) -> Page[EventOut] | StreamingResponse:
    """`look` gives (status, progress) of the parent, or raises 404; see `waiting.stream`."""

    def listed(db: Connection) -> Page[EventOut]:
        look(db)
        latest = events.latest(db, parent)
        if query.after > latest:
            message = f"no event has the number {query.after}: the last one is {latest}"
            raise invalid("unknown_cursor", message, "after")
        stored = events.read(db, parent, query.after, query.limit + 1)
        return page([_view(event) for event in stored], query.limit)

    first = await gate.run(listed)
    if not query.streamed:
        return first
    source = stream(gate, parent, query.after, look, final, query.streams.seconds)
    return Streamed(source, query.streams)


def _view(event: events.Event) -> EventOut:
    return EventOut(
        id=event.sequence, type=event.type, data=dict(event.data), created_at=event.created_at
    )
