"""Evaluations: what was asked, how far it is, what came out.

The row's lock (`lock`) is taken before anything else that changes an evaluation: status, events and
the closing of the last shard all happen under it.

    queued -> running -> succeeded -> queued (what failed of it is measured again)
       |         |-----> failed ----> queued
       |---------|-----> cancelled

`finish` is the one door to a final status: it defers what is to follow the end (`on_end`), at every
end, and, where the evaluation has succeeded, the update of its dataset's boards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.db import events
from service.db.identifiers import new
from service.db.pages import paged
from service.db.stored import Stored
from service.db.tables import datasets, evaluation_metrics, evaluations, shards
from service.errors import not_found
from service.evaluations import plans
from service.evaluations.plans import MetricRequest
from service.jobs import queue

FINAL = ("succeeded", "failed", "cancelled")
CONTROL = "control/"  # begins names of systems that are measured to check metrics by


@dataclass(frozen=True, slots=True)
class Evaluation(Stored):
    """An evaluation with its dataset's name and version, and its progress in measurements.

    A measurement is one sample under one metric; a sample to generate counts as one more.
    """

    id: str
    system: str
    dataset_id: str
    dataset_name: str
    dataset_version: int
    model: str | None  # generates the outputs; None: they were given
    models: list[str]  # all that it runs or asks, those of its metrics among them
    generation: Mapping[str, Any] | None
    budget: Mapping[str, Any] | None  # the most that generation may take
    protocol: Mapping[str, Any] | None  # resolved; None: records were asked as they are
    protocol_digest: str | None
    slices: list[str]  # metadata keys
    cluster: str | None  # the metadata key by which samples belong together, or `prompt`
    status: str
    seed: int
    replicates: int
    level: float
    stop_when_settled: str | None  # a gate
    size: int  # samples
    error: Mapping[str, Any] | None
    warnings: list[str]
    suite: str | None  # that its metrics were taken from
    left_out: list[dict[str, Any]]  # of the suite
    origin: Mapping[str, Any] | None  # where it was imported from
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    voted_at: datetime | None  # when people's votes last changed its scores
    done: int  # measurements
    total: int

    @property
    def changed_at(self) -> datetime | None:
        """When its results became what they are; None: they are not there yet."""
        if self.finished_at is None or self.voted_at is None:
            return self.finished_at
        return max(self.finished_at, self.voted_at)


@dataclass(frozen=True, slots=True)
class State(Stored):
    """How far a locked evaluation is; `closing`: all its shards are in."""

    status: str
    closing: bool
    stop_when_settled: str | None


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


def create(
    db: Connection,
    *,
    system: str,
    dataset_id: str,
    size: int,
    metrics: Sequence[MetricRequest],
    model: str | None,
    models: Sequence[str] = (),
    generation: Mapping[str, Any] | None,
    slices: Sequence[str],
    seed: int,
    replicates: int,
    level: float,
    cluster: str | None = None,
    on_end: Task | None = None,
    stop_when_settled: str | None = None,
    origin: Mapping[str, Any] | None = None,
    protocol: Mapping[str, Any] | None = None,
    protocol_digest: str | None = None,
    budget: Mapping[str, Any] | None = None,
    suite: str | None = None,
    left_out: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Store a queued evaluation and return its id.

    models  names of the models that the metrics run; with `model`, all that the evaluation needs
    stop_when_settled  a gate: once it is settled, the evaluation ends
    on_end  is deferred once, when it has succeeded, failed or been cancelled
    origin  where it was imported from: nothing of it is measured here
    left_out  metrics of the `suite` that are not measured as it has them
    """
    id = new("eval")
    db.execute(
        insert(evaluations).values(
            id=id,
            system=system,
            dataset_id=dataset_id,
            size=size,
            model=model,
            models=sorted({*models, *([model] if model is not None else [])}),
            generation=generation,
            budget=budget,
            protocol=protocol,
            protocol_digest=protocol_digest,
            slices=list(slices),
            cluster=cluster,
            seed=seed,
            replicates=replicates,
            level=level,
            on_end=on_end.as_json() if on_end is not None else None,
            stop_when_settled=stop_when_settled,
            origin=origin,
            suite=suite,
            left_out=[dict(one) for one in left_out],
        )
    )
    plans.create(db, id, metrics)
    return id


def follow(db: Connection, evaluation_id: str, task: Task) -> None:
    """Have the task deferred when an evaluation ends that nothing follows yet."""
    free = (evaluations.c.id == evaluation_id) & evaluations.c.on_end.is_(None)
    db.execute(update(evaluations).where(free).values(on_end=task.as_json()))


def lock(db: Connection, evaluation_id: str) -> State | None:
    """The evaluation's state, its row locked until the transaction ends; None without a row."""
    query = select(evaluations).where(evaluations.c.id == evaluation_id).with_for_update()
    row = db.execute(query).one_or_none()
    return State.from_row(row) if row is not None else None


def get(db: Connection, evaluation_id: str) -> Evaluation | None:
    """The evaluation; None where there is none."""
    row = db.execute(_listing().where(evaluations.c.id == evaluation_id)).one_or_none()
    return Evaluation.from_row(row) if row is not None else None


def require(db: Connection, evaluation_id: str) -> Evaluation:
    """The evaluation. Raises 404."""
    found = get(db, evaluation_id)
    if found is None:
        raise not_found("evaluation", evaluation_id)
    return found


def get_many(db: Connection, ids: Collection[str]) -> dict[str, Evaluation]:
    """The evaluations that there are, by id."""
    rows = db.execute(_listing().where(evaluations.c.id.in_(list(ids))))
    return {row.id: Evaluation.from_row(row) for row in rows}


def status(db: Connection, evaluation_id: str) -> str | None:
    """The evaluation's status; None where there is none."""
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
) -> list[Evaluation]:
    """Up to `limit` evaluations after the id `after`, by time of creation."""
    query = _listing()
    if system:
        query = query.where(evaluations.c.system == system)
    if dataset_id:
        query = query.where(evaluations.c.dataset_id == dataset_id)
    if status:
        query = query.where(evaluations.c.status == status)
    query = paged(db, query, evaluations.c.id, after=after, limit=limit, descending=descending)
    return [Evaluation.from_row(row) for row in db.execute(query)]


def start(db: Connection, evaluation_id: str, data: Mapping[str, Any]) -> None:
    """queued -> running. The caller holds the lock."""
    _set(db, evaluation_id, status="running", started_at=func.now())
    events.append(db, evaluation_id, "running", data)


def reopen(db: Connection, evaluation_id: str) -> None:
    """succeeded or failed -> queued. The caller holds the lock, and defers the plan."""
    values = {"status": "queued", "closing": False, "error": None, "finished_at": None}
    _set(db, evaluation_id, **values)
    events.append(db, evaluation_id, "retried", {})


def rebudget(db: Connection, evaluation_id: str, budget: Mapping[str, Any]) -> None:
    """Another budget for generation. The caller holds the lock."""
    _set(db, evaluation_id, budget=dict(budget))


def warn(db: Connection, evaluation_id: str, warnings: Sequence[str]) -> None:
    """What there is to say of the outputs, in place of what was said. The caller holds the lock."""
    _set(db, evaluation_id, warnings=list(warnings))


def begin_closing(db: Connection, evaluation_id: str) -> None:
    """All shards are in: exactly one caller gets here, under the lock."""
    _set(db, evaluation_id, closing=True)


def vote(db: Connection, evaluation_id: str) -> None:
    """People's votes have changed its scores, so its dataset's boards are out of date. The caller
    holds the lock."""
    changed = update(evaluations).where(evaluations.c.id == evaluation_id)
    voted = changed.values(voted_at=func.now()).returning(evaluations.c.dataset_id)
    _update_boards(db, db.execute(voted).scalar_one())


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
        .returning(evaluations.c.on_end, evaluations.c.dataset_id)
    ).one_or_none()
    if ended is None:
        return
    events.append(db, evaluation_id, status, data)
    if status == "succeeded":
        _update_boards(db, ended.dataset_id)
    if ended.on_end is not None:
        task = Task.from_json(ended.on_end)
        queue.defer(db, task.name, **task.ids)


def _update_boards(db: Connection, dataset: str) -> None:
    boards = f"boards {dataset}"  # many landings that wait are one update
    queue.defer(db, "board.update", queueing_lock=boards, dataset=dataset)


def _set(db: Connection, evaluation_id: str, **values: object) -> None:
    db.execute(update(evaluations).where(evaluations.c.id == evaluation_id).values(**values))


def _listing() -> Select[Any]:
    done = (
        select(func.coalesce(func.sum(shards.c.done), 0))
        .where(shards.c.evaluation_id == evaluations.c.id)
        .scalar_subquery()
    )
    metrics = (
        select(func.count())
        .where(evaluation_metrics.c.evaluation_id == evaluations.c.id)
        .scalar_subquery()
    )
    steps = metrics + func.num_nonnulls(evaluations.c.model)
    return select(
        evaluations,
        datasets.c.name.label("dataset_name"),
        datasets.c.version.label("dataset_version"),
        done.label("done"),
        (evaluations.c.size * steps).label("total"),
    ).join(datasets, datasets.c.id == evaluations.c.dataset_id)
