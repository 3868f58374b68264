"""Many rows at once, through COPY, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Table


def driver(db: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection under a SQLAlchemy one: same session, same transaction."""
    raw = db.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError(f"expected a psycopg connection, got {type(raw).__name__}")
    return raw


def copy(
    db: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """COPY rows into `columns` of `table`."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver(db).cursor() as cursor, cursor.copy(statement) as stream:
        for row in rows:
            stream.write_row(row)
