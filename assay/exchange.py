"""The client without input and output: requests and replies.

A *script* is a generator that yields steps (a request, and how long to wait before it) and is sent
replies. `Client` and `AsyncClient` do nothing but perform the steps, so they cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from assay.errors import AssayError
from assay.files import FileBody, OnProgress
from assay.models import Answer

A = TypeVar("A", bound=Answer)
T = TypeVar("T")
Item_co = TypeVar("Item_co", covariant=True)

READ_IN_A_SECOND = 1e6  # bytes of a file that the service surely checks in that time

Query: TypeAlias = Mapping[str, str | int | float | bool | Sequence[str] | None]


@dataclass(frozen=True, slots=True)
class Request:
    """A request, complete but for the service's address."""

    method: str
    path: str
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | FileBody | None = None
    repeatable: bool = False  # sent twice, it does what it does sent once
    patience: float = 0.0  # seconds that the service may take beyond the client's timeout
    lively: bool = False  # signs of life are promised: silence is a broken connection


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that has arrived."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """A request to send after `delay` seconds."""

    request: Request
    delay: float = 0.0


Script: TypeAlias = Generator[Step, Reply, T]
Outcome: TypeAlias = Reply | httpx.RequestError


class Source(Protocol[Item_co]):
    """An answer read piece by piece, over several connections if one breaks."""

    @property
    def position(self) -> int:
        """How much need not be sent again; retries count anew after progress."""

    @property
    def finished(self) -> bool:
        """Whether the answer that has ended was the last; else it goes on with another request."""

    def start(self) -> Request:
        """The request of the next connection."""

    def opened(self, url: str, headers: Mapping[str, str]) -> None:
        """The answer from `url` begins. Raises AssayError where it is something else."""

    def feed(self, chunk: bytes) -> Iterable[Item_co]:
        """What a piece of the answer completes."""


def arguments(request: Request) -> dict[str, Any]:
    """What httpx builds its request of, but for the body and the timeout."""
    query = {name: value for name, value in request.query.items() if value is not None}
    # not as `params`, which would replace a query that the path has already
    url = httpx.URL(request.path).copy_merge_params(query)
    return {"method": request.method, "url": url, "headers": request.headers}


def reply(response: httpx.Response) -> Reply:
    """An answer whose content has been read."""
    request = response.request
    return Reply(
        request.method, str(request.url), response.status_code, response.headers, response.content
    )


def get(
    root: str,
    *names: str,
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    patience: float = 0.0,
) -> Request:
    """A GET of what lies at `root/name/…`."""
    path = address(root, *names)
    return Request("GET", path, query or {}, headers or {}, repeatable=True, patience=patience)


def post(
    root: str,
    *names: str,
    body: Mapping[str, object] | None = None,
    repeatable: bool = True,
    patience: float = 0.0,
) -> Request:
    """A POST that creates nothing: it may be repeated, unless that is said not to be so."""
    content, headers = encoded(body)
    path = address(root, *names)
    return Request("POST", path, {}, headers, content, repeatable=repeatable, patience=patience)


def delete(root: str, *names: str) -> Request:
    """A DELETE of what lies at `root/name/…`. Once it is gone, a second one is answered with 404:
    it is not repeated."""
    return Request("DELETE", address(root, *names))


def create(root: str, body: Mapping[str, object], key: str | None) -> Request:
    """A POST that creates: with an idempotency key, of its own if need be, it may be repeated."""
    content, headers = encoded(body)
    return Request("POST", root, {}, headers | keyed(key), content, repeatable=True)


def upload(
    root: str,
    path: str | Path,
    query: Query,
    *,
    progress: OnProgress | None,
    key: str | None,
    kind: str = "application/octet-stream",
) -> Request:
    """A POST of a file, which creates, as `create` does. Raises OSError where it cannot be read."""
    path = Path(path)
    size = path.stat().st_size
    headers = keyed(key) | {"content-type": kind, "content-length": str(size)}
    body = FileBody(path, size, progress)
    return Request(
        "POST", root, query, headers, body, repeatable=True, patience=size / READ_IN_A_SECOND
    )


def columns(mapping: Mapping[str, str] | None) -> str | None:
    """What a table's columns are, as the service reads it: `question:prompt,acc:score`."""
    return ",".join(f"{column}:{field}" for column, field in mapping.items()) if mapping else None


def waited(request: Request, wait: float) -> Request:
    """The request, its answer held back for up to `wait` seconds; as it is for less than one."""
    if wait < 1:
        return request
    headers = {**request.headers, "Prefer": f"wait={int(wait)}"}
    return replace(request, headers=headers, patience=wait)


def keyed(key: str | None) -> dict[str, str]:
    """The header of an idempotency key, a new one if none is given."""
    return {"Idempotency-Key": key or str(uuid4())}


def authorized(request: Request, token: str) -> Request:
    """The request by whoever has the token."""
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def encoded(body: Mapping[str, object] | None) -> tuple[bytes | None, dict[str, str]]:
    """A body as JSON with its header. Raises ValueError for a number that is not finite."""
    if body is None:
        return None, {}
    headers = {"content-type": "application/json"}
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode(), headers
    except UnicodeEncodeError:  # half of a surrogate pair: the service says in which field
        return json.dumps(body, allow_nan=False).encode(), headers


def ask(request: Request, answer: type[A]) -> Script[A]:
    """The answer to one request."""
    return read((yield Step(request)), answer)


def read(reply: Reply, answer: type[A]) -> A:
    """The answer that a reply holds. Raises AssayError where it is none."""
    try:
        return answer.model_validate_json(reply.content)
    except ValueError as error:
        raise unreadable(reply, str(error)) from error


def ask_json(request: Request) -> Script[Any]:
    """The answer to one request, as parsed JSON."""
    reply = yield Step(request)
    try:
        return json.loads(reply.content)
    except ValueError as error:
        raise unreadable(reply, str(error)) from error


def ask_text(request: Request) -> Script[str]:
    """The answer to one request, as text."""
    reply = yield Step(request)
    return reply.content.decode()


def address(root: str, *names: str) -> str:
    """`root/name/…`. Names may hold slashes, as those of models do. Raises ValueError for an empty
    one."""
    if not all(names):
        raise ValueError(f"an id or a name for {root} is empty")
    return "/".join([root, *(quote(name, safe="/@:,") for name in names)])


def unreadable(reply: Reply, reason: str) -> AssayError:
    """The error of a reply that is not the service's, or cannot be read."""
    return AssayError(
        f"this is no answer of the service: {reason}",
        code="unreadable_answer",
        method=reply.method,
        url=reply.url,
        status=reply.status,
        request_id=reply.headers.get("x-request-id"),
    )
