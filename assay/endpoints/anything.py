"""Endpoints that have no method of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.exchange import Request, Script, ask_json, encoded
from assay.streams import EventStream


def request(
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **query: str | int | float | bool | None,
) -> Script[Any]:
    """The parsed JSON of any endpoint; a query's None is left out.

    A GET is repeated after failures, any other method only with an Idempotency-Key. Raises
    AssayError.
    """
    content, sent = encoded(body)
    sent |= headers or {}
    repeatable = method.upper() in {"GET", "HEAD"} or "idempotency-key" in map(str.lower, sent)
    return ask_json(Request(method, path, query, sent, content, repeatable=repeatable))


def events_of(path: str, after: int = 0) -> EventStream:
    """Events of whatever is at `path`, as they happen, until it ends."""
    return EventStream(f"{path}/events", after=after)
