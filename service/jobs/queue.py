"""The queue: jobs deferred, cancelled and counted in the caller's own transaction.

The app below is never opened: it only turns a task's name and some ids into Procrastinate's insert,
run on the connection that also writes our rows. So a job exists exactly when its rows do. Payloads
are ids, never data. (Opened asynchronously, the app would refuse a synchronous connection.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from psycopg import Connection as DriverConnection
from sqlalchemy import Connection, text

_app = App(connector=SyncPsycopgConnector())


def defer(
    connection: Connection,
    task: str,
    *,
    queue: str = "score",
    priority: int = 0,
    lock: str | None = None,
    queueing_lock: str | None = None,
    **ids: str | int,
) -> int:
    """Queue `task` with `ids`, when the caller's transaction commits. Returns the job's number.

    Higher `priority` runs first. Of the jobs that share a `lock` only one runs at a time. Where a
    job with the same `queueing_lock` already waits, nothing is added and its number is returned.
    """
    deferrer = _app.configure_task(
        task,
        queue=queue,
        priority=priority,
        lock=lock,
        queueing_lock=queueing_lock,
        connection=_driver(connection),
    )
    if queueing_lock is None:
        return deferrer.defer(**ids)
    while True:
        try:
            with connection.begin_nested():  # a clash must not spoil the caller's transaction
                return deferrer.defer(**ids)
        except AlreadyEnqueued:
            waiting = _waiting(connection, queueing_lock)
            if waiting is not None:  # None: a worker took it in between, so ours may go in
                return waiting


def cancel(connection: Connection, job: int) -> bool:
    """Drop `job` if it waits, ask it to stop if it runs.

    True: it runs, and its handler (or its `.cancelled` hook) will settle the rows. False: nothing
    runs and nothing will, so the caller settles the rows, in this transaction.
    """
    _app.job_manager.cancel_job_by_id(
        job, abort=True, delete_job=True, connection=_driver(connection)
    )
    status = connection.scalar(
        text("SELECT status::text FROM procrastinate_jobs WHERE id = :job"), {"job": job}
    )
    return bool(status == "doing")


def renew(connection: Connection, job: int) -> None:
    """`job` has got on: its attempts count anew. What runs for weeks outlives many workers."""
    connection.execute(
        text("UPDATE procrastinate_jobs SET attempts = 0 WHERE id = :job AND status = 'doing'"),
        {"job": job},
    )


def cancel_all(connection: Connection, **ids: str) -> None:
    """Drop the waiting jobs that have these ids, and ask the running ones to stop; a handler that
    does not stop between batches is killed after its worker's grace."""
    statement = text(
        "SELECT id FROM procrastinate_jobs"
        " WHERE status IN ('todo', 'doing') AND args @> CAST(:ids AS jsonb)"
    )
    for job in connection.scalars(statement, {"ids": json.dumps(ids)}).all():
        cancel(connection, job)


def idle(connection: Connection, queues: Sequence[str]) -> bool:
    """Whether nothing runs in these queues, or could."""
    statement = text(
        "SELECT NOT EXISTS (SELECT FROM procrastinate_jobs WHERE queue_name = ANY(:queues)"
        " AND (status = 'doing'"
        " OR status = 'todo' AND coalesce(scheduled_at, '-infinity') <= now()))"
    )
    return bool(connection.scalar(statement, {"queues": list(queues)}))


def depth(connection: Connection) -> dict[tuple[str, str], int]:
    """How many jobs there are by (queue, status); statuses are Procrastinate's, as todo."""
    rows = connection.execute(
        text(
            "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )
    )
    return {(queue, status): count for queue, status, count in rows}


def _driver(connection: Connection) -> DriverConnection[tuple[object, ...]]:
    """psycopg's own connection, inside a transaction that SQLAlchemy knows of."""
    if not connection.in_transaction():
        connection.begin()  # without it `connection.commit()` would do nothing and lose the job
    driver = connection.connection.driver_connection
    if not isinstance(driver, DriverConnection):
        raise TypeError(f"the queue needs a psycopg connection, not {type(driver).__name__}")
    return driver


def _waiting(connection: Connection, queueing_lock: str) -> int | None:
    statement = text(
        "SELECT id FROM procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo'"
    )
    found = connection.scalar(statement, {"lock": queueing_lock})
    return None if found is None else int(found)
