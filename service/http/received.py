"""Files that requests bring as bodies: in memory up to 16 MiB, beyond that on the disk."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

SPOOLED = 16 * 1024**2  # bytes kept in memory before they go to a file
BINARY = {"schema": {"type": "string", "format": "binary"}}


@dataclass(frozen=True, slots=True)
class Received:
    """A file, at its end, and what an idempotency key is bound to: a digest of query and body."""

    file: IO[bytes]
    bound: bytes


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[Received]:
    """The request's body; the file is gone when the context ends."""
    state = hashlib.sha256(str(request.query_params).encode())
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as file:
        async for chunk in request.stream():
            state.update(chunk)
            await run_in_threadpool(file.write, chunk)
        yield Received(file, state.digest())


def digest_of(file: IO[bytes]) -> str:
    """sha256 of the whole file."""
    file.seek(0)
    state = hashlib.sha256()
    while piece := file.read(1 << 20):
        state.update(piece)
    return f"sha256:{state.hexdigest()}"


def takes_a_file(types: Collection[bytes]) -> dict[str, Any]:
    """What OpenAPI is told of a body of one of these types."""
    content = {kind.decode(): BINARY for kind in sorted(types)}
    return {"requestBody": {"required": True, "content": content}}
