"""What a worker and its compute process say to each other: JSON, each after its length in 4 bytes.

The worker says where the Database is, and the compute process that it is Ready. Then the worker
sends a Call, and perhaps a Stop while it lasts; the compute process sends Advance messages, and an
Answer. A process that works at several tasks at once is sent more Calls before it has answered.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson

LENGTH = 4  # bytes, big-endian


@dataclass(frozen=True, slots=True)
class Database:
    """Where the database is. Said here, since an environment is inherited by whatever the process
    starts, and can be read as long as it lives."""

    url: str = field(repr=False)  # libpq's, the password included


@dataclass(frozen=True, slots=True)
class Ready:
    """The compute process has started: what stops it from here on is the fault of a task."""


@dataclass(frozen=True, slots=True)
class Call:
    """Run a task: the handler called `name`, with these ids."""

    task: int
    attempt: int  # counts from 1
    name: str
    ids: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop a running task: between two batches; or having saved its state, for another worker."""

    task: int
    save: bool


@dataclass(frozen=True, slots=True)
class Advance:
    """A running task has made progress."""

    task: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended; `message` is in words, and for people only when the error is permanent.

    outcome  "killed" and "stalled" are the worker's own words: the compute process ended without
             an answer, or was killed since it made no progress;
             "disturbed": by a fault of the surroundings, which is no attempt at the task
    kind     the name of the exception's class
    task     whose it is; 0 in the worker's own words
    """

    outcome: Literal["done", "cancelled", "released", "failed", "disturbed", "killed", "stalled"]
    kind: str = ""
    message: str = ""
    permanent: bool = False
    task: int = 0


Message = Database | Ready | Call | Stop | Advance | Answer
KINDS: Mapping[str, type[Message]] = {
    kind.__name__: kind for kind in (Database, Ready, Call, Stop, Advance, Answer)
}


def encode(message: Message) -> bytes:
    """The message as it travels."""
    data = orjson.dumps([type(message).__name__, message])
    return len(data).to_bytes(LENGTH, "big") + data


async def read(stream: asyncio.StreamReader) -> Message | None:
    """The next message; None at the end of the stream."""
    try:
        size = int.from_bytes(await stream.readexactly(LENGTH), "big")
        return _decode(await stream.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def receive(channel: socket.socket) -> Message | None:
    """The next message; None at the end of the stream."""
    head = _exactly(channel, LENGTH)
    body = _exactly(channel, int.from_bytes(head, "big")) if head else b""
    return _decode(body) if body else None


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        try:
            part = channel.recv(size - len(data))
        except ConnectionError:
            return b""
        if not part:
            return b""
        data += part
    return data


def _decode(data: bytes) -> Message:
    kind, fields = orjson.loads(data)
    return KINDS[kind](**fields)
