"""Outputs of an evaluation, by the index of their record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from metrics.core.details import Details
from service.db.bulk import copy
from service.db.stored import Stored
from service.db.tables import evaluations, outputs, records

WHITE = "".join(one for one in map(chr, range(0x3001)) if one.isspace())  # as `str.strip` has it


@dataclass(frozen=True, slots=True)
class Output(Stored):
    """A record and the texts that came out for it; none while they are yet to be generated."""

    index: int
    content: Mapping[str, Any]
    texts: list[str] | None
    traces: list[Mapping[str, Any]] | None  # of a protocol, how each text came about
    details: list[Mapping[str, Any]] | None  # what each text took; None where they were given


@dataclass(frozen=True, slots=True)
class Unanswered(Stored):
    """Outputs that are none; `error` is the commonest of those that failed."""

    refused: int
    filtered: int
    failed: int
    over_budget: int
    error: str | None


def add(
    db: Connection,
    evaluation_id: str,
    texts: Iterable[tuple[int, list[str]]],
    details: Mapping[int, list[dict[str, Any]]] | None = None,
) -> None:
    """Store (record index, texts) of a new evaluation, and where they were generated what they
    took."""
    told = details or {}
    rows = (
        (evaluation_id, index, outs, Jsonb(told[index], orjson.dumps) if index in told else None)
        for index, outs in texts
    )
    copy(db, outputs, ("evaluation_id", "index", "texts", "details"), rows)


def keep(
    db: Connection,
    evaluation_id: str,
    texts: Mapping[int, list[str]],
    traces: Mapping[int, list[dict[str, Any]]] | None = None,
    details: Mapping[int, list[dict[str, Any]]] | None = None,
) -> None:
    """Store generated texts, how they came about and what they took; what is there stays."""
    rows = [
        {"evaluation_id": evaluation_id, "index": index, "texts": outs}
        | {"traces": (traces or {}).get(index), "details": (details or {}).get(index)}
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


def count(db: Connection, evaluation_id: str, start: int, stop: int) -> int:
    """How many of the records from `start` to `stop` have their outputs."""
    query = select(func.count()).where(
        outputs.c.evaluation_id == evaluation_id,
        outputs.c.index >= start,
        outputs.c.index < stop,
    )
    return db.scalar(query) or 0


def read_details(
    db: Connection, evaluation_id: str, start: int = 0, stop: int | None = None
) -> dict[int, tuple[Details, ...]]:
    """What the texts took by record index, of those that were generated."""
    found = stored_details(db, evaluation_id, start, stop)
    return {index: tuple(map(Details.of, each)) for index, each in found.items()}


def stored_details(
    db: Connection, evaluation_id: str, start: int = 0, stop: int | None = None
) -> dict[int, list[dict[str, Any]]]:
    """The same as it is stored, which is more than metrics read."""
    query = select(outputs.c.index, outputs.c.details).where(
        outputs.c.evaluation_id == evaluation_id,
        outputs.c.index >= start,
        outputs.c.details.is_not(None),
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


def blank(db: Connection, evaluation_id: str) -> set[int]:
    """Indices of records whose first text is none, or white space alone."""
    first = func.btrim(func.coalesce(outputs.c.texts[1], ""), WHITE)
    query = select(outputs.c.index).where(outputs.c.evaluation_id == evaluation_id, first == "")
    return set(db.scalars(query))


def failures(db: Connection, evaluation_id: str) -> dict[str, int]:
    """Why replies have no answer of the protocol's kind, and how many, the commonest first."""
    query = text(
        "SELECT trace ->> 'failed', count(*) FROM outputs, "
        "jsonb_array_elements(traces) WITH ORDINALITY AS each (trace, number) "
        "WHERE evaluation_id = :id AND traces IS NOT NULL AND trace ? 'failed' AND NOT "
        "coalesce(details -> (number - 1)::int ?| ARRAY['error', 'refusal'], false) "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    return {row[0]: row[1] for row in db.execute(query, {"id": evaluation_id})}


def unanswered(db: Connection, evaluation_id: str) -> Unanswered:
    """How many of the generated outputs are none, by what is the reason."""
    query = text(
        "SELECT count(*) FILTER (WHERE d ? 'refusal' AND d ->> 'finish_reason' IS DISTINCT FROM "
        "'content_filter' AND NOT d ? 'error') AS refused, count(*) FILTER (WHERE d ? 'refusal' "
        "AND d ->> 'finish_reason' = 'content_filter' AND NOT d ? 'error') AS filtered, "
        "count(*) FILTER (WHERE d ? 'error' AND NOT d ? 'over_budget') AS failed, "
        "count(*) FILTER (WHERE d ? 'over_budget') AS over_budget, mode() WITHIN GROUP (ORDER BY "
        "d ->> 'error') FILTER (WHERE d ? 'error' AND NOT d ? 'over_budget') AS error "
        "FROM outputs, jsonb_array_elements(details) AS d "
        "WHERE evaluation_id = :id AND details IS NOT NULL"
    )
    return Unanswered.from_row(db.execute(query, {"id": evaluation_id}).one())


def drop_failed(db: Connection, evaluation_id: str, over_budget: bool = False) -> list[int]:
    """Forget the outputs that failed, so that they are generated again; returns their indices.

    over_budget  those that a budget had no room for, too
    """
    query = text(
        "DELETE FROM outputs WHERE evaluation_id = :id AND EXISTS (SELECT FROM "
        "jsonb_array_elements(details) AS d WHERE d ? 'error' AND (:all OR NOT d ? 'over_budget')) "
        "RETURNING index"
    )
    return list(db.scalars(query, {"id": evaluation_id, "all": over_budget}))


def read_at(db: Connection, evaluation_id: str, indices: Sequence[int]) -> dict[int, Output]:
    """The records at `indices` with their texts."""
    query = (
        select(
            records.c.index,
            records.c.content,
            outputs.c.texts,
            outputs.c.traces,
            outputs.c.details,
        )
        .select_from(evaluations)
        .join(records, records.c.dataset_id == evaluations.c.dataset_id)
        .outerjoin(
            outputs,
            (outputs.c.evaluation_id == evaluations.c.id) & (outputs.c.index == records.c.index),
        )
        .where(evaluations.c.id == evaluation_id, records.c.index.in_(list(indices)))
    )
    return {row[0]: Output.from_row(row) for row in db.execute(query)}
