"""Events of an evaluation or a training job, as a page or as a stream: one endpoint's work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from service.db import events
from service.errors import invalid
from service.http.fields import Limit, Page, page
from service.http.gate import Gate
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


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events, and in which form."""

    streamed: bool
    after: int
    limit: int


def _query(
    accept: Annotated[str, Header(include_in_schema=False)] = "",  # OpenAPI has it as content types
    last_event_id: Annotated[EventNumber | None, Header(alias="Last-Event-ID")] = None,
    after: Annotated[EventNumber, Query()] = 0,
    limit: Annotated[Limit, Query()] = 100,
) -> EventQuery:
    begin = last_event_id if last_event_id is not None else after
    return EventQuery("text/event-stream" in accept, begin, limit)


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
    source = stream(gate, parent, query.after, look, final)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(source, media_type="text/event-stream", headers=headers)


def _view(event: events.Event) -> EventOut:
    return EventOut(
        id=event.sequence, type=event.type, data=dict(event.data), created_at=event.created_at
    )
