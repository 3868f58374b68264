"""The queue: tasks deferred, cancelled and counted in the caller's own transaction.

The app below is never opened: it only turns a task's name and some ids into Procrastinate's insert,
run on the connection that also writes our rows. So a task exists exactly when its rows do. Payloads
are ids, never data. (Opened asynchronously, the app would refuse a synchronous connection.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from psycopg import Connection as DriverConnection
from sqlalchemy import Connection

from service.db.engine import driver
from service.jobs import sql
from service.settings import Settings

HOURS_KEPT = 24  # of tasks that failed or were stopped, for people to look at

_app = App(connector=SyncPsycopgConnector())


def defer(
    db: Connection,
    name: str,
    /,
    *,
    queue: str = "score",
    priority: int = 0,
    lock: str | None = None,
    queueing_lock: str | None = None,
    **ids: str | int,
) -> int:
    """Queue the task called `name` with `ids`, when the transaction commits; returns its number.

    Higher `priority` runs first. Of the tasks that share a `lock` only one runs at a time. Where a
    task with the same `queueing_lock` already waits, nothing is added and its number is returned.
    """
    deferrer = _app.configure_task(
        name,
        queue=queue,
        priority=priority,
        lock=lock,
        queueing_lock=queueing_lock,
        connection=_driver(db),
    )
    if queueing_lock is None:
        return deferrer.defer(**ids)
    while True:
        try:
            with db.begin_nested():  # a clash must not spoil the caller's transaction
                return deferrer.defer(**ids)
        except AlreadyEnqueued:
            waiting = db.scalar(sql.WAITING, {"queueing_lock": queueing_lock})
            if waiting is not None:  # None: a worker took it in between, so ours may go in
                return int(waiting)


def cancel(db: Connection, task: int) -> bool:
    """Drop `task` if it waits, ask it to stop if it runs.

    True: it runs, and its handler (or its `.cancelled` hook) will finish the rows. False: nothing
    runs and nothing will, so the caller finishes the rows, in this transaction.
    """
    _app.job_manager.cancel_job_by_id(task, abort=True, delete_job=True, connection=_driver(db))
    return bool(db.scalar(sql.STATUS, {"task": task}) == "doing")


def cancel_all(db: Connection, **ids: str) -> None:
    """Drop the waiting tasks that have these ids, and ask the running ones to stop; a handler that
    does not stop between batches is killed after its worker's grace."""
    for task in db.scalars(sql.UNFINISHED, {"ids": json.dumps(ids)}).all():
        cancel(db, task)


def waits(db: Connection, name: str, /, **ids: str) -> bool:
    """Whether the task called `name` with these ids waits for a worker."""
    return bool(db.scalar(sql.WAITS, {"name": name, "ids": json.dumps(ids)}))


def reset_attempts(db: Connection, task: int) -> None:
    """Reset the retry counter after progress: what runs for weeks outlives many workers."""
    db.execute(sql.RESET_ATTEMPTS, {"task": task})


def idle(db: Connection, queues: Sequence[str]) -> bool:
    """Whether nothing runs in these queues, or could."""
    return bool(db.scalar(sql.IDLE, {"queues": list(queues)}))


def depth(db: Connection) -> dict[tuple[str, str], int]:
    """How many tasks there are by (queue, status); statuses are Procrastinate's, as todo."""
    return {(row.queue_name, row.status): row.tasks for row in db.execute(sql.DEPTH)}


def oldest(db: Connection) -> dict[str, float]:
    """How long the oldest waiting task of each queue has waited, in seconds since it was deferred;
    queues where none waits are left out."""
    return {row.queue_name: row.seconds for row in db.execute(sql.OLDEST)}


def forget_old(db: Connection, settings: Settings) -> None:
    """Delete tasks that failed or were stopped, once nobody will look at them any more."""
    db.execute(sql.DELETE_FINISHED, {"hours": HOURS_KEPT})


def _driver(db: Connection) -> DriverConnection[tuple[object, ...]]:
    """psycopg's own connection, inside a transaction that SQLAlchemy knows of."""
    if not db.in_transaction():
        db.begin()  # without it `db.commit()` would do nothing and lose the task
    return driver(db)
