"""What endpoints ask for: a transaction, the gate, the settings, an idempotency key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from service.http import space
from service.http.gate import Gate
from service.http.idempotency import IdempotencyKey, digest
from service.http.waiting import preferred_wait
from service.settings import Settings

LONG = 120.0  # seconds


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


def _transaction(gate: Annotated[Gate, Depends(_gate)]) -> Iterator[Connection]:
    """One transaction around the endpoint, committed before the answer is sent."""
    with gate.transaction() as db:
        yield db


def _unbound_key(
    request: Request,
    settings: Annotated[Settings, Depends(_settings)],
    key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)] = None,
) -> IdempotencyKey:
    space.require(settings)  # here, since whatever creates something takes a key
    return IdempotencyKey(key, request.url.path)


async def _key(
    request: Request, unbound: Annotated[IdempotencyKey, Depends(_unbound_key)]
) -> IdempotencyKey:
    return unbound.bound(await run_in_threadpool(digest, await request.body()))


async def _patience(prefer: Annotated[str | None, Header()] = None) -> float:
    return preferred_wait(prefer) or LONG


CurrentSettings = Annotated[Settings, Depends(_settings)]
CurrentGate = Annotated[Gate, Depends(_gate)]
# for endpoints that are plain functions; asynchronous ones use `CurrentGate.run`
Transaction = Annotated[Connection, Depends(_transaction, scope="function")]
# bound to the request's body; a streamed body binds an `UnboundKey` to the digest it computes
Idempotent = Annotated[IdempotencyKey, Depends(_key)]
UnboundKey = Annotated[IdempotencyKey, Depends(_unbound_key)]
# seconds that the client waits for a worker: those of `Prefer: wait=600`, else 120
Patience = Annotated[float, Depends(_patience)]
