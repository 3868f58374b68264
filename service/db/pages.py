"""Pages of a list, by ids, which sort by time of creation."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, select

from service.errors import invalid

S = TypeVar("S", bound=Select[Any])


def paged(
    db: Connection,
    query: S,
    key: ColumnElement[Any],
    *,
    after: str | None,
    limit: int,
    descending: bool,
) -> S:
    """The query for up to `limit` rows after the one whose `key` is `after`.

    Raises 422 where no row has that key: a page after nothing would look like a whole list.
    """
    if after is not None:
        if db.scalar(select(key).where(key == after)) is None:
            raise invalid("unknown_cursor", f"nothing in this list has the id {after!r}", "after")
        query = query.where(key < after if descending else key > after)
    return query.order_by(key.desc() if descending else key.asc()).limit(limit)
