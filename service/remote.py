"""What commands ask a running service for: one way to it, and one way to say what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import orjson

# seconds: for a connection; for each part of the answer, of which a large file's takes minutes
TIMEOUT = httpx.Timeout(600.0, connect=10.0)

STRANGE = "no service of this kind; --url names another"

Query = Mapping[str, str | bool | Sequence[str] | None]


class RemoteError(Exception):
    """What was asked for did not come; the message says why, in words for people."""


def ask(
    url: str,
    method: str,
    path: str,
    query: Query | None = None,
    *,
    body: Mapping[str, object] | None = None,
    content: Iterator[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of the answer. Raises RemoteError where none comes, or one that refuses.

    query    what is None is left out
    body     sent as JSON
    content  sent as it is, in place of a body
    """
    given = {name: value for name, value in (query or {}).items() if value is not None}
    try:
        with httpx.Client(transport=httpx.HTTPTransport(), timeout=TIMEOUT) as client:
            answer = client.request(
                method,
                f"{url.rstrip('/')}{path}",
                params=given,
                json=body,
                content=content,
                headers=headers,
            )
    except (httpx.RequestError, httpx.InvalidURL) as error:
        message = f"no service answers at {url} ({error}); `assay serve` starts one, --url names it"
        raise RemoteError(message) from None
    if not answer.is_success:
        raise RemoteError(_message(answer))
    return answer.content


def parsed(content: bytes, url: str) -> dict[str, Any]:
    """An answer of the service at `url` that is a JSON object. Raises RemoteError for another."""
    try:
        found = orjson.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RemoteError(f"{url} answers what is no JSON object, and is {STRANGE}")
    return found


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return f"{answer.url} answered {answer.status_code}, and is {STRANGE}"
