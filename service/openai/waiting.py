"""Waiting for a worker's answer, whole or piece by piece, for as long as the client is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from service.db.events import Event
from service.errors import ApiError
from service.http.event_stream import Streamed
from service.http.gate import Gate
from service.http.waiting import HEARTBEAT, RECHECK, answer_to, raise_of
from service.openai import store
from service.openai.errors import content
from service.openai.views import Chunks, error_event

Look = tuple[Sequence[Event], Mapping[str, Any] | None]


async def answer(request: Request, gate: Gate, asked: str, wait: float) -> dict[str, Any]:
    """What a worker answers. Raises its refusal, 503 where none answers in time; a client that
    goes away ends the work soon."""
    waiting = asyncio.ensure_future(answer_to(gate, asked, wait))
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ApiError(499, "client_gone", "the client went away")
        return await waiting
    finally:
        for task in (waiting, gone):
            task.cancel()
        with suppress(asyncio.CancelledError, ApiError):
            await waiting


async def streamed(
    request: Request, gate: Gate, asked: str, chunks: Chunks, wait: float
) -> StreamingResponse:
    """The answer as it is written. What is wrong before its first piece is an answer of its own;
    later, an event."""
    source = _looks(gate, asked, wait)
    gone = asyncio.ensure_future(_gone(request))
    first = asyncio.ensure_future(anext(source))
    try:
        await asyncio.wait({first, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            raise ApiError(499, "client_gone", "the client went away")
        look = await first
        if look is not None:
            raise_of(look[1] or {})
    except BaseException:
        first.cancel()
        with suppress(asyncio.CancelledError, ApiError, StopAsyncIteration):
            await first
        await source.aclose()
        raise
    finally:
        gone.cancel()
    return Streamed(_chunks(source, look, chunks), request.app.state.streams)


async def _chunks(
    source: AsyncGenerator[Look | None, None], first: Look | None, chunks: Chunks
) -> AsyncIterator[bytes]:
    """Server-sent events, up to [DONE] or an error."""
    look = first
    try:
        while True:
            if look is None:
                yield b": still here\n\n"
            else:
                events, end = look
                for event in events:
                    for piece in event.data["pieces"]:
                        for chunk in chunks.of(piece):
                            yield chunk
                if end is not None:
                    raise_of(end)
                    for chunk in chunks.last(end):
                        yield chunk
                    return
            look = await anext(source)
    except ApiError as error:
        yield error_event(content(error))
    finally:
        await source.aclose()


async def _looks(gate: Gate, asked: str, wait: float) -> AsyncGenerator[Look | None, None]:
    """New pieces with the answer's end, once it is there; None for a sign of life. The request is
    gone afterwards, also when the client goes away."""
    after = 0
    deadline = time.monotonic() + wait
    sent = time.monotonic()

    def read(db: Connection) -> Look:
        end = store.answered(db, asked)  # first: all pieces were written before
        return store.written(db, asked, after), end

    try:
        async with gate.notices.watch(asked) as wake:
            while True:
                events, end = await gate.run(read)
                if events or end is not None:
                    after = events[-1].sequence if events else after
                    complete = end is not None and len(events) < store.PAGE
                    deadline, sent = time.monotonic() + wait, time.monotonic()
                    yield events, end if complete else None
                    if complete:
                        return
                    continue
                if time.monotonic() >= deadline:
                    message = f"no worker wrote anything within {wait:.0f} s; see /readyz"
                    raise ApiError(503, "timed_out", message)
                if time.monotonic() - sent >= HEARTBEAT:
                    sent = time.monotonic()
                    yield None
                await wake.wait(min(RECHECK, max(deadline - time.monotonic(), 0)))
    finally:
        await asyncio.shield(gate.run(lambda db: store.forget(db, asked)))


async def _gone(request: Request) -> None:
    """Return when the client has gone; its body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
