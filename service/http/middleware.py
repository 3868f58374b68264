"""Around every request: an id, a log line, counters, and limits on the body's size and time."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.db.identifiers import new
from service.http.refusals import refuse
from service.logs import bind
from service.settings import Settings

log = logging.getLogger("service.requests")

JSON_TYPES = {b"application/json"}
FILE_TYPES = {  # none that a web page may send without asking first
    b"application/octet-stream",
    b"application/x-ndjson",
    b"application/jsonl",
    b"text/csv",
    b"application/vnd.apache.parquet",
}
ARCHIVE_TYPES = {b"application/zip", b"application/octet-stream"}
UPLOADS = {  # how the paths end that take files, and of which types
    "/upload": FILE_TYPES,
    "/imports": FILE_TYPES,
    "/archives": ARCHIVE_TYPES,
}
JSON_WANTED = "send the body as JSON, with the header content-type: application/json"
FILE_WANTED = (
    "send the file with the header content-type: application/octet-stream, or with its own: "
    "application/x-ndjson, application/jsonl, text/csv, application/vnd.apache.parquet; "
    "application/zip of an archive"
)
SLOWEST = 10_000  # bytes a second of a body, on average and beside ASSAY_REQUEST_SECONDS
TOO_SLOW = (
    "the body did not come: there are ASSAY_REQUEST_SECONDS for it, and a second more for every "
    f"{SLOWEST} bytes"
)
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
        began_answer = False

        async def tagged(message: Message) -> None:
            nonlocal began_answer
            if message["type"] == "http.response.start":
                began_answer = True
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
                self._note(scope, message["status"], time.monotonic() - began)
            await send(message)

        with bind(request_id=request_id):
            try:
                await self.app(scope, receive, tagged)
            except Exception:  # here, since the framework's own handler is outside: no id, no count
                path = _one_word(scope["path"])
                log.exception("unhandled error in %s %s", scope["method"], path)
                if began_answer:
                    raise
                message = "something went wrong here; the x-request-id header finds it in the logs"
                await refuse(tagged, 500, "internal_error", message)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route: Any = scope.get("route")
        path = getattr(route, "path", "unmatched")
        self.count.labels(scope["method"], path, status).inc()
        self.seconds.labels(scope["method"], path).observe(seconds)
        log.info(
            "%s %s %d",
            scope["method"],
            _one_word(scope["path"]),
            status,
            extra={"seconds": round(seconds, 4)},
        )


class Bodies:
    """413 for a body above the limit, by its declared length or as soon as it is over; 415 for one
    that does not say that it is JSON, or a file where files are uploaded, which have a limit of
    their own; 408 for one that does not come; 422 for a NUL in the path or the query."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            message = "the path or the query holds a NUL character"  # PostgreSQL's text cannot
            await refuse(send, 422, "nul_character", message)
            return
        headers = dict(scope["headers"])
        upload = next(
            (kinds for end, kinds in UPLOADS.items() if scope["path"].endswith(end)), None
        )
        limit, name = (
            (self.settings.max_upload_bytes, "ASSAY_MAX_UPLOAD_BYTES")
            if upload
            else (self.settings.max_body_bytes, "ASSAY_MAX_BODY_BYTES")
        )
        too_large = f"the body is over {limit} bytes, the limit that {name} sets"
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await refuse(send, 413, "body_too_large", too_large)
            return
        if scope["method"] == "POST" and not _is_of(upload or JSON_TYPES, headers):
            message = FILE_WANTED if upload else JSON_WANTED
            await refuse(send, 415, "unsupported_media_type", message)
            return
        seen, waited, whole = 0, 0.0, False

        async def counted() -> Message:
            nonlocal seen, waited, whole
            if whole:
                return await receive()
            began = time.monotonic()
            try:
                async with asyncio.timeout(self.settings.request_seconds + seen / SLOWEST - waited):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, TOO_SLOW, {"connection": "close"}) from None
            waited += time.monotonic() - began  # for the client: not what we do in between
            whole = not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > limit:  # the framework lets its own exceptions through, and only those
                raise HTTPException(413, too_large, {"connection": "close"})
            return message

        await self.app(scope, counted, send)


def _is_of(kinds: set[bytes], headers: dict[bytes, bytes]) -> bool:
    """Whether the body says that it is of one of these types; one without content need not."""
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    empty = b"transfer-encoding" not in headers and headers.get(b"content-length", b"0") == b"0"
    return kind in kinds or (not kind and empty)


def _one_word(path: str) -> str:
    """The path without spaces, behind which it could spell the status and ids of a log line."""
    return "".join("%20" if character.isspace() else character for character in path)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            return text if SAFE_ID.fullmatch(text) else None
    return None
