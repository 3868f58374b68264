"""Many rows at once, through COPY, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql
from sqlalchemy import Connection, Table

from service.db.engine import driver


def copy(
    db: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """COPY rows into `columns` of `table`."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver(db).cursor() as cursor, cursor.copy(statement) as stream:
        for row in rows:
            stream.write_row(row)
