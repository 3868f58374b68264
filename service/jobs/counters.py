"""What workers did, added up in the database so that any API process can export it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from service.db.tables import counters


def add(db: Connection, amounts: Mapping[tuple[str, str], float]) -> None:
    """Add to counters named (name, label). Sorted, so that two workers cannot deadlock."""
    rows = [
        {"name": name, "label": label, "value": amount}
        for (name, label), amount in sorted(amounts.items())
        if amount
    ]
    if not rows:
        return
    statement = insert(counters).values(rows)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["name", "label"],
            set_={"value": counters.c.value + statement.excluded.value},
        )
    )


def read(db: Connection) -> dict[tuple[str, str], float]:
    return {(row.name, row.label): row.value for row in db.execute(select(counters))}
