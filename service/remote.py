"""What commands ask a running service for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

DEFAULT = "http://127.0.0.1:8000"
SECONDS = 300.0


class RemoteError(Exception):
    """The service does not answer, or refuses; the message says which and why."""


def ask(
    url: str,
    method: str,
    path: str,
    query: Mapping[str, str | None],
    body: Mapping[str, object] | None = None,
) -> bytes:
    """The bytes of the answer; what is None is left out of the query. Raises RemoteError."""
    given = {name: value for name, value in query.items() if value is not None}
    try:
        with httpx.Client(transport=httpx.HTTPTransport(), timeout=SECONDS) as client:
            answer = client.request(method, f"{url.rstrip('/')}{path}", params=given, json=body)
    except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        message = f"no service answers at {url} ({error}); `assay serve` starts one, --url names it"
        raise RemoteError(message) from None
    if answer.is_error:
        raise RemoteError(_message(answer))
    return answer.content


def _message(answer: httpx.Response) -> str:
    try:
        content: Any = answer.json()
        return str(content["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code}, and is no service of this kind"
