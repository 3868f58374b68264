"""What a worker and its compute process say to each other: JSON, each after its length in 4 bytes.

down  {"type": "run", "task", "ids", "job", "attempt"}      {"type": "cancel" | "release", "job"}
up    {"type": "done" | "cancelled" | "released", "job"}
      {"type": "failed", "job", "kind", "message", "permanent"}
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import orjson

Message = dict[str, Any]
LENGTH = 4  # bytes, big-endian


def encode(message: Message) -> bytes:
    data = orjson.dumps(message)
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
    message = orjson.loads(data)
    if not isinstance(message, dict):
        raise TypeError("a message is a JSON object")
    return message
