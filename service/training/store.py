"""Training jobs: what was asked, who runs it, what it logged.

    queued -> running -> succeeded -> queued (resume, with more steps)
       |       |   |---> failed -> queued (resume)
       |       |---|---> cancelled -> queued (resume)
       |       paused -> queued (resume)

The job's row is locked first. `attempt` fences: whoever began an attempt writes only while the row
still has its number, so a worker that was taken for dead changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.db import events
from service.db.columns import JSONB
from service.db.identifiers import new
from service.db.notices import notify
from service.db.pages import paged
from service.db.stored import Stored
from service.db.tables import datasets, training_jobs, training_series
from service.errors import not_found

FINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class TrainingJob(Stored):
    """A training job, with its dataset's name and version.

    name        for people; need not be unique
    metadata    values by key, to find jobs by
    models      names of all models that it loads: to train, for rewards, for its evaluations
    validation  the held-out set whose loss is measured; None: there is none
    evaluation  how the starting model and every checkpoint are scored; None: they are not
    control     "cancel", "pause" or "stop" (early), until the training process has obeyed
    report      lengths, memory, versions: what describes the job as a whole
    """

    id: str
    name: str | None
    metadata: Mapping[str, Any]
    method: str
    model: str
    models: list[str]
    dataset_id: str
    dataset_name: str
    dataset_version: int
    options: Mapping[str, Any]
    evaluation: Mapping[str, Any] | None
    validation: Mapping[str, Any] | None
    resources: Mapping[str, Any]
    status: str
    control: str | None
    attempt: int
    step: int
    total_steps: int | None
    report: Mapping[str, Any]
    start_evaluation: str | None
    start_failure_told: bool
    best: str | None  # a checkpoint's id
    error: Mapping[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def processes(self) -> int:
        """How many processes train: one a GPU."""
        return int(self.resources.get("processes", 1))


def create(
    db: Connection,
    *,
    method: str,
    model: str,
    models: Sequence[str],
    dataset_id: str,
    options: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None,
    resources: Mapping[str, Any],
    validation: Mapping[str, Any] | None = None,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Store a queued job and return its id."""
    id = new("job")
    db.execute(
        insert(training_jobs).values(
            id=id,
            name=name,
            metadata=dict(metadata or {}),
            method=method,
            model=model,
            models=sorted(models),
            dataset_id=dataset_id,
            options=dict(options),
            evaluation=dict(evaluation) if evaluation is not None else None,
            validation=dict(validation) if validation is not None else None,
            resources=dict(resources),
        )
    )
    return id


def lock(db: Connection, job: str) -> TrainingJob | None:
    """The job, its row locked until the transaction ends."""
    query = _listing().where(training_jobs.c.id == job).with_for_update(of=training_jobs)
    return _one(db, query)


def lock_attempt(db: Connection, job: str, attempt: int) -> TrainingJob | None:
    """The row, locked, while it is still this attempt's to write; None once it is not."""
    row = lock(db, job)
    return row if row is not None and row.attempt == attempt and row.status == "running" else None


def get(db: Connection, job: str) -> TrainingJob | None:
    """The job; None where there is none."""
    return _one(db, _listing().where(training_jobs.c.id == job))


def require(db: Connection, job: str) -> TrainingJob:
    """The job. Raises 404."""
    found = get(db, job)
    if found is None:
        raise not_found("training job", job)
    return found


def page(
    db: Connection,
    *,
    after: str | None,
    limit: int,
    descending: bool,
    metadata: Sequence[tuple[str, str]] = (),
    **values: str | None,
) -> list[TrainingJob]:
    """Up to `limit` jobs after the id `after`, by time of creation.

    metadata  keys and values that they have
    values    of the columns `name`, `method`, `status`; None: any
    """
    table = training_jobs.c
    query = _listing().where(*(table[key] == one for key, one in values.items() if one is not None))
    for key, value in metadata:
        query = query.where(table["metadata"][key].astext == value)
    query = paged(db, query, training_jobs.c.id, after=after, limit=limit, descending=descending)
    return [TrainingJob.from_row(row) for row in db.execute(query)]


def control(db: Connection, job: str) -> str | None:
    """What the running process has been asked: "cancel", "pause", "stop" or nothing."""
    return db.scalar(select(training_jobs.c.control).where(training_jobs.c.id == job))


def ask(db: Connection, job: str, control: str) -> None:
    """Ask the running process to stop. The caller holds the lock."""
    change(db, job, control=control)
    events.append(db, job, f"{control}_requested", {})


def start(db: Connection, job: str, attempt: int) -> None:
    """A new attempt, of a queued job or one whose worker died. The caller holds the lock."""
    change(
        db,
        job,
        status="running",
        attempt=attempt,
        started_at=func.coalesce(training_jobs.c.started_at, func.now()),
    )
    events.append(db, job, "running", {"attempt": attempt})


def finish(
    db: Connection,
    job: str,
    status: str,
    data: Mapping[str, Any],
    error: Mapping[str, Any] | None = None,
) -> None:
    """It ends, or is paused: nobody is at work on it. The caller holds the lock."""
    ended = func.now() if status in FINAL else None
    change(db, job, status=status, control=None, error=error, finished_at=ended)
    events.append(db, job, status, data)


def resume(
    db: Connection,
    job: TrainingJob,
    max_steps: int | None = None,
    budget: Mapping[str, Any] | None = None,
) -> None:
    """Back to the queue, with `max_steps` and the `budget` in all if they are given. The caller
    holds the lock, and defers the task."""
    changed: dict[str, object] = {} if budget is None else {"budget": dict(budget)}
    changed |= {} if max_steps is None else {"max_steps": max_steps}
    more: dict[str, object] = {"options": {**job.options, **changed}} if changed else {}
    more |= {} if max_steps is None else {"total_steps": max_steps}
    change(db, job.id, status="queued", control=None, error=None, finished_at=None, **more)
    told = {"step": job.step} | ({"max_steps": max_steps} if max_steps is not None else {})
    events.append(db, job.id, "queued", told)


def change(db: Connection, job: str, **values: object) -> None:
    """Set columns of the job. The caller holds the lock."""
    db.execute(update(training_jobs).where(training_jobs.c.id == job).values(**values))


def add_to_report(db: Connection, job: str, values: Mapping[str, Any]) -> None:
    """Set fields of the job's report; the others stay."""
    report = training_jobs.c.report
    merged = report.op("||")(bindparam("values", dict(values), type_=JSONB))
    change(db, job, report=merged)


def add_series(db: Connection, job: str, values: Mapping[int, Mapping[str, Any]]) -> None:
    """Values by step; a step written before is written again. Wakes whoever watches the job."""
    if not values:
        return
    rows = [
        {"job_id": job, "step": step, "values": dict(one)} for step, one in sorted(values.items())
    ]
    statement = insert(training_series).values(rows)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["job_id", "step"],
            set_={"values": training_series.c["values"].op("||")(statement.excluded["values"])},
        )
    )
    change(db, job, step=max(values))
    notify(db, job)


def read_series(db: Connection, job: str) -> list[tuple[int, Mapping[str, Any]]]:
    """(step, values) in the order of the steps."""
    table = training_series
    query = select(table.c.step, table.c["values"]).where(table.c.job_id == job)
    return [(row[0], row[1]) for row in db.execute(query.order_by(table.c.step))]


def forget_series_after(db: Connection, job: str, step: int) -> None:
    """Back to the checkpoint that the next attempt starts from: drops what a lost one logged."""
    table = training_series
    db.execute(table.delete().where(table.c.job_id == job, table.c.step > step))
    change(db, job, step=step)


def _one(db: Connection, query: Select[Any]) -> TrainingJob | None:
    row = db.execute(query).one_or_none()
    return TrainingJob.from_row(row) if row is not None else None


def _listing() -> Select[Any]:
    return select(
        training_jobs,
        datasets.c.name.label("dataset_name"),
        datasets.c.version.label("dataset_version"),
    ).join(datasets, datasets.c.id == training_jobs.c.dataset_id)
