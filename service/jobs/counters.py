"""What workers did, added up in the database so that any API process can export it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.postgresql import insert

from service.db.tables import counters


@dataclass(frozen=True, slots=True)
class Counter:
    """An amount under a name, and a label as the metric or the device it is about."""

    name: str
    label: str
    value: float

    @classmethod
    def from_row(cls, row: Row[tuple[object, ...]]) -> Counter:
        """From a row of `counters`."""
        return cls(row.name, row.label, row.value)


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


def read(db: Connection) -> list[Counter]:
    """All counters, by name and label."""
    query = select(counters).order_by(counters.c.name, counters.c.label)
    return [Counter.from_row(row) for row in db.execute(query)]
