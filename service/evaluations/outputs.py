"""Outputs of an evaluation, by the index of their record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, cast, func, select, true
from sqlalchemy.dialects.postgresql import insert

from service.db.bulk import copy
from service.db.stored import Stored
from service.db.tables import JSONB, evaluations, outputs, records


@dataclass(frozen=True, slots=True)
class Output(Stored):
    """A record and the texts that came out for it; none while they are yet to be generated."""

    index: int
    content: Mapping[str, Any]
    texts: list[str] | None
    traces: list[Mapping[str, Any]] | None  # of a protocol, how each text came about


def add(db: Connection, evaluation_id: str, texts: Iterable[tuple[int, list[str]]]) -> None:
    """Store (record index, texts) of a new evaluation."""
    rows = ((evaluation_id, index, outs) for index, outs in texts)
    copy(db, outputs, ("evaluation_id", "index", "texts"), rows)


def keep(
    db: Connection,
    evaluation_id: str,
    texts: Mapping[int, list[str]],
    traces: Mapping[int, list[dict[str, Any]]] | None = None,
) -> None:
    """Store generated texts, and how they came about; what is there already stays."""
    rows = [
        {"evaluation_id": evaluation_id, "index": index, "texts": outs}
        | {"traces": (traces or {}).get(index)}
        for index, outs in texts.items()
    ]
    if rows:
        db.execute(insert(outputs).values(rows).on_conflict_do_nothing())


def read(
    db: Connection, evaluation_id: str, start: int = 0, stop: int | None = None
) -> dict[int, list[str]]:
    """Texts by record index, start <= index < stop."""
    query = select(outputs.c.index, outputs.c.texts).where(
        outputs.c.evaluation_id == evaluation_id, outputs.c.index >= start
    )
    if stop is not None:
        query = query.where(outputs.c.index < stop)
    return {row[0]: row[1] for row in db.execute(query)}


def counts(db: Connection, evaluation_id: str) -> dict[int, int]:
    """How many texts each record has, by index."""
    query = select(outputs.c.index, func.cardinality(outputs.c.texts)).where(
        outputs.c.evaluation_id == evaluation_id
    )
    return {row[0]: row[1] for row in db.execute(query)}


def failures(db: Connection, evaluation_id: str) -> dict[str, int]:
    """Why outputs have no answer, and how many of them, the commonest first."""
    each = func.jsonb_array_elements(outputs.c.traces).table_valued("value").lateral()
    why = cast(each.c.value, JSONB)["failed"].astext
    query = (
        select(why, func.count())
        .select_from(outputs.join(each, true()))
        .where(
            outputs.c.evaluation_id == evaluation_id,
            outputs.c.traces.is_not(None),
            why.is_not(None),
        )
        .group_by(why)
        .order_by(func.count().desc(), why)
    )
    return {row[0]: row[1] for row in db.execute(query)}


def read_at(db: Connection, evaluation_id: str, indices: Sequence[int]) -> dict[int, Output]:
    """The records at `indices` with their texts."""
    query = (
        select(records.c.index, records.c.content, outputs.c.texts, outputs.c.traces)
        .select_from(evaluations)
        .join(records, records.c.dataset_id == evaluations.c.dataset_id)
        .outerjoin(
            outputs,
            (outputs.c.evaluation_id == evaluations.c.id) & (outputs.c.index == records.c.index),
        )
        .where(evaluations.c.id == evaluation_id, records.c.index.in_(list(indices)))
    )
    return {row[0]: Output.from_row(row) for row in db.execute(query)}
