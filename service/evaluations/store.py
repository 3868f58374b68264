"""Evaluations: what was asked, how far it is, what came out.

The row's lock (`lock`) is taken before anything else that changes an evaluation: status, events and
the closing of the last shard all happen under it.

    queued -> running -> succeeded
       |         |-----> failed
       |---------|-----> cancelled

`finish` is the one door to a final status: it defers what is to follow the end (`on_end`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.db import events
from service.db.bulk import copy
from service.db.identifiers import new
from service.db.tables import datasets, evaluation_metrics, evaluations, outputs, records, shards
from service.jobs import queue

FINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class MetricRequest:
    name: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """A task of the queue to defer later, with the ids its handler takes."""

    name: str
    ids: Mapping[str, Any]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Task:
        """The task that `as_json` wrote."""
        return cls(stored["task"], stored["ids"])

    def as_json(self) -> dict[str, object]:
        """The form in which it is stored."""
        return {"task": self.name, "ids": dict(self.ids)}


@dataclass(frozen=True, slots=True)
class Plan:
    """One metric of an evaluation."""

    position: int
    name: str
    params: Mapping[str, Any]
    resolved: Mapping[str, Any] | None
    signature: Mapping[str, str] | None
    error: Mapping[str, Any] | None


def create(
    db: Connection,
    *,
    system: str,
    dataset_id: str,
    size: int,
    metrics: Sequence[MetricRequest],
    model: str | None,
    generation: Mapping[str, Any] | None,
    slices: Sequence[str],
    seed: int,
    replicates: int,
    level: float,
    on_end: Task | None = None,
) -> str:
    """Store a queued evaluation and return its id.

    `on_end` is deferred once, when it has succeeded, failed or been cancelled.
    """
    made = new("eval")
    db.execute(
        insert(evaluations).values(
            id=made,
            system=system,
            dataset_id=dataset_id,
            size=size,
            model=model,
            generation=generation,
            slices=list(slices),
            seed=seed,
            replicates=replicates,
            level=level,
            on_end=on_end.as_json() if on_end is not None else None,
        )
    )
    db.execute(
        insert(evaluation_metrics),
        [
            {
                "evaluation_id": made,
                "position": position,
                "name": metric.name,
                "params": dict(metric.params),
            }
            for position, metric in enumerate(metrics)
        ],
    )
    return made


def add_outputs(db: Connection, evaluation_id: str, texts: Iterable[tuple[int, list[str]]]) -> None:
    """Store (record index, outputs) of a new evaluation."""
    rows = ((evaluation_id, index, outs) for index, outs in texts)
    copy(db, outputs, ("evaluation_id", "index", "texts"), rows)


def keep_outputs(db: Connection, evaluation_id: str, texts: Mapping[int, list[str]]) -> None:
    """Store generated outputs; what is there already stays."""
    rows = [
        {"evaluation_id": evaluation_id, "index": index, "texts": outs}
        for index, outs in texts.items()
    ]
    if rows:
        db.execute(insert(outputs).values(rows).on_conflict_do_nothing())


def read_outputs(
    db: Connection, evaluation_id: str, start: int = 0, stop: int | None = None
) -> dict[int, list[str]]:
    query = select(outputs.c.index, outputs.c.texts).where(
        outputs.c.evaluation_id == evaluation_id, outputs.c.index >= start
    )
    if stop is not None:
        query = query.where(outputs.c.index < stop)
    return {row[0]: row[1] for row in db.execute(query)}


def read_counts(db: Connection, evaluation_id: str) -> dict[int, int]:
    """How many outputs each sample has, by index."""
    query = select(outputs.c.index, func.cardinality(outputs.c.texts)).where(
        outputs.c.evaluation_id == evaluation_id
    )
    return {row[0]: row[1] for row in db.execute(query)}


def read_at(db: Connection, evaluation_id: str, indices: Sequence[int]) -> dict[int, Any]:
    """(content, texts) of the samples at `indices`."""
    query = (
        select(records.c.index, records.c.content, outputs.c.texts)
        .select_from(evaluations)
        .join(records, records.c.dataset_id == evaluations.c.dataset_id)
        .outerjoin(
            outputs,
            (outputs.c.evaluation_id == evaluations.c.id) & (outputs.c.index == records.c.index),
        )
        .where(evaluations.c.id == evaluation_id, records.c.index.in_(list(indices)))
    )
    return {row[0]: row for row in db.execute(query)}


def lock(db: Connection, evaluation_id: str) -> Any | None:
    """The evaluation's row, locked until the transaction ends; None when there is none."""
    query = select(evaluations).where(evaluations.c.id == evaluation_id).with_for_update()
    return db.execute(query).one_or_none()


def get(db: Connection, evaluation_id: str) -> Any | None:
    """The row, with its dataset's name and version, and `done` and `total` measurements."""
    return db.execute(_listing().where(evaluations.c.id == evaluation_id)).one_or_none()


def status(db: Connection, evaluation_id: str) -> str | None:
    query = select(evaluations.c.status).where(evaluations.c.id == evaluation_id)
    return db.scalar(query)


def page(
    db: Connection,
    *,
    after: str | None,
    limit: int,
    descending: bool,
    system: str | None = None,
    dataset_id: str | None = None,
    status: str | None = None,
) -> list[Any]:
    order = evaluations.c.id.desc() if descending else evaluations.c.id.asc()
    query = _listing().order_by(order).limit(limit)
    if after:
        query = query.where(evaluations.c.id < after if descending else evaluations.c.id > after)
    if system:
        query = query.where(evaluations.c.system == system)
    if dataset_id:
        query = query.where(evaluations.c.dataset_id == dataset_id)
    if status:
        query = query.where(evaluations.c.status == status)
    return list(db.execute(query))


def plans(db: Connection, evaluation_id: str) -> list[Plan]:
    """The evaluation's metrics, in the order asked for."""
    return plans_of(db, [evaluation_id])[evaluation_id]


def plans_of(db: Connection, evaluation_ids: Sequence[str]) -> dict[str, list[Plan]]:
    """The metrics of each of the evaluations."""
    columns = evaluation_metrics.c
    query = (
        select(
            columns.evaluation_id,
            columns.position,
            columns.name,
            columns.params,
            columns.resolved,
            columns.signature,
            columns.error,
        )
        .where(columns.evaluation_id.in_(list(evaluation_ids)))
        .order_by(columns.evaluation_id, columns.position)
    )
    found: dict[str, list[Plan]] = {one: [] for one in evaluation_ids}
    for evaluation_id, *plan in db.execute(query):
        found[evaluation_id].append(Plan(*plan))
    return found


def set_plan(
    db: Connection,
    evaluation_id: str,
    position: int,
    *,
    resolved: Mapping[str, Any] | None = None,
    signature: Mapping[str, str] | None = None,
    error: Mapping[str, Any] | None = None,
) -> None:
    db.execute(
        update(evaluation_metrics)
        .where(
            evaluation_metrics.c.evaluation_id == evaluation_id,
            evaluation_metrics.c.position == position,
        )
        .values(resolved=resolved, signature=signature, error=error)
    )


def start(db: Connection, evaluation_id: str, data: Mapping[str, Any]) -> None:
    """queued -> running. The caller holds the lock."""
    _set(db, evaluation_id, status="running", started_at=func.now())
    events.append(db, evaluation_id, "running", data)


def begin_closing(db: Connection, evaluation_id: str) -> None:
    """All shards are in: exactly one caller gets here, under the lock."""
    _set(db, evaluation_id, closing=True)


def finish(
    db: Connection,
    evaluation_id: str,
    status: str,
    data: Mapping[str, Any],
    error: Mapping[str, Any] | None = None,
) -> None:
    """To a final status, the only way there; defers `on_end`. The caller holds the lock.

    An evaluation that has ended stays as it ended, and defers nothing a second time.
    """
    ended = db.execute(
        update(evaluations)
        .where(evaluations.c.id == evaluation_id, evaluations.c.status.not_in(FINAL))
        .values(status=status, finished_at=func.now(), error=error)
        .returning(evaluations.c.on_end)
    ).one_or_none()
    if ended is None:
        return
    events.append(db, evaluation_id, status, data)
    if ended.on_end is not None:
        task = Task.from_json(ended.on_end)
        queue.defer(db, task.name, **task.ids)


def _set(db: Connection, evaluation_id: str, **values: Any) -> None:
    db.execute(update(evaluations).where(evaluations.c.id == evaluation_id).values(**values))


def _listing() -> Any:
    """Rows of evaluations with dataset, and progress counted in measurements.

    A measurement is one sample under one metric; a sample to generate counts as one more.
    """
    done = (
        select(func.coalesce(func.sum(shards.c.done), 0))
        .where(shards.c.evaluation_id == evaluations.c.id)
        .scalar_subquery()
    )
    asked = (
        select(func.count())
        .where(evaluation_metrics.c.evaluation_id == evaluations.c.id)
        .scalar_subquery()
    )
    steps = asked + func.num_nonnulls(evaluations.c.model)
    return select(
        evaluations,
        datasets.c.name.label("dataset_name"),
        datasets.c.version.label("dataset_version"),
        done.label("done"),
        (evaluations.c.size * steps).label("total"),
    ).join(datasets, datasets.c.id == evaluations.c.dataset_id)
