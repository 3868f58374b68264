"""Answers of what stands before the framework: errors in the form of all others."""

from __future__ import annotations

import orjson
from starlette.types import Send

from service.errors import body


async def refuse(
    send: Send, status: int, code: str, message: str, *more: tuple[bytes, bytes]
) -> None:
    """Sends an error, and closes the connection: the body was not read.

    more  headers beside those that every error has
    """
    content = orjson.dumps(body(status, code, message))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
