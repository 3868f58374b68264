"""Around every request: an id, a log line, counters, and a limit on the body."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import body
from service.identifiers import new

log = logging.getLogger("service.requests")

SAFE_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)


class Requests:
    """Gives each request an id (the client's own where it is harmless), counts and logs it."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        self.count = Counter(
            "assay_requests", "requests answered", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "assay_request_seconds",
            "until the answer's head",
            ["method", "route"],
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _given_id(scope) or new("req")
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.monotonic()

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                ]
                self._note(scope, message["status"], time.monotonic() - began, request_id)
            await send(message)

        await self.app(scope, receive, tagged)

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route: Any = scope.get("route")
        path = getattr(route, "path", "unmatched")
        self.count.labels(scope["method"], path, status).inc()
        self.seconds.labels(scope["method"], path).observe(seconds)
        log.info(
            "%s %s %d",
            scope["method"],
            scope["path"],
            status,
            extra={"request_id": request_id, "seconds": round(seconds, 4)},
        )


class BodyLimit:
    """413 for a body above the limit, by its declared length or as soon as it is over."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.limit:
            await self._refuse(send)
            return
        seen = 0
        answered = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.limit:
                raise _TooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except _TooLargeError:
            if not answered:
                await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        message = (
            f"the body is over {self.limit} bytes (ASSAY_MAX_BODY_BYTES); store the dataset once "
            "and send outputs in parts"
        )
        content = orjson.dumps(body(413, "body_too_large", message))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class _TooLargeError(Exception):
    """Raised through the application, which has not answered yet."""


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if SAFE_ID.fullmatch(text) else None
    return None
