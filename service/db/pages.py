"""Pages of a list, by ids, which sort by time of creation."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import Column, Select

S = TypeVar("S", bound=Select[Any])


def paged(query: S, key: Column[Any], *, after: str | None, limit: int, descending: bool) -> S:
    """The query for up to `limit` rows after the one whose `key` is `after`."""
    if after:
        query = query.where(key < after if descending else key > after)
    return query.order_by(key.desc() if descending else key.asc()).limit(limit)
