"""Training jobs: what was asked, who runs it, what it logged.

    queued -> running -> succeeded
       |       |   |---> failed -> queued (resume)
       |       |---|---> cancelled
       |       paused -> queued (resume)

The job's row is locked first. `attempt` fences: whoever began an attempt writes only while the row
still has its number, so a worker that was taken for dead changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.db import events
from service.db.identifiers import new
from service.db.notices import notify
from service.db.tables import datasets, training_jobs, training_series

FINAL = ("succeeded", "failed", "cancelled")


def create(
    db: Connection,
    *,
    method: str,
    model: str,
    dataset_id: str,
    options: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None,
    resources: Mapping[str, Any],
) -> str:
    made = new("job")
    db.execute(
        insert(training_jobs).values(
            id=made,
            method=method,
            model=model,
            dataset_id=dataset_id,
            options=dict(options),
            evaluation=dict(evaluation) if evaluation is not None else None,
            resources=dict(resources),
        )
    )
    return made


def lock(db: Connection, job: str) -> Any | None:
    """The job's row, locked until the transaction ends."""
    query = select(training_jobs).where(training_jobs.c.id == job).with_for_update()
    return db.execute(query).one_or_none()


def lock_attempt(db: Connection, job: str, attempt: int) -> Any | None:
    """The row, locked, while it is still this attempt's to write; None once it is not."""
    row = lock(db, job)
    return row if row is not None and row.attempt == attempt and row.status == "running" else None


def get(db: Connection, job: str) -> Any | None:
    """The row, with its dataset's name and version."""
    return db.execute(_listing().where(training_jobs.c.id == job)).one_or_none()


def page(
    db: Connection, *, after: str | None, limit: int, descending: bool, status: str | None
) -> list[Any]:
    order = training_jobs.c.id.desc() if descending else training_jobs.c.id.asc()
    query = _listing().order_by(order).limit(limit)
    if after:
        query = query.where(
            training_jobs.c.id < after if descending else training_jobs.c.id > after
        )
    if status:
        query = query.where(training_jobs.c.status == status)
    return list(db.execute(query))


def control(db: Connection, job: str) -> str | None:
    """What the running process has been asked: "cancel", "pause" or nothing."""
    return db.scalar(select(training_jobs.c.control).where(training_jobs.c.id == job))


def ask(db: Connection, job: str, control: str) -> None:
    """Ask the running process to stop. The caller holds the lock."""
    change(db, job, control=control)
    events.append(db, job, f"{control}_requested", {})


def begin(db: Connection, job: str, attempt: int) -> None:
    """A new attempt, of a queued job or one whose worker died. The caller holds the lock."""
    change(
        db,
        job,
        status="running",
        attempt=attempt,
        started_at=func.coalesce(training_jobs.c.started_at, func.now()),
    )
    events.append(db, job, "running", {"attempt": attempt})


def settle(
    db: Connection,
    job: str,
    status: str,
    data: Mapping[str, Any],
    error: Mapping[str, Any] | None = None,
) -> None:
    """To a status that nobody is at work in. The caller holds the lock."""
    values: dict[str, Any] = {"status": status, "control": None, "error": error}
    values["finished_at"] = func.now() if status in FINAL else None
    change(db, job, **values)
    events.append(db, job, status, data)


def change(db: Connection, job: str, **values: Any) -> None:
    db.execute(update(training_jobs).where(training_jobs.c.id == job).values(**values))


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


def ids(db: Connection, statuses: Sequence[str]) -> list[str]:
    query = select(training_jobs.c.id).where(training_jobs.c.status.in_(statuses))
    return list(db.scalars(query))


def _listing() -> Any:
    return select(
        training_jobs,
        datasets.c.name.label("dataset_name"),
        datasets.c.version.label("dataset_version"),
    ).join(datasets, datasets.c.id == training_jobs.c.dataset_id)
