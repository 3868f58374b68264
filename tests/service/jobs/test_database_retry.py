"""A worker's connections break as a task ends: what it says of the task is said all the same."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import psycopg
import pytest
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from sqlalchemy import Engine, text

from service.jobs import queue, worker
from service.jobs.child import Child
from service.jobs.database_retry import retried
from service.jobs.retry import Retry
from service.jobs.runner import Runner
from service.serve.postgres import EmbeddedPostgres
from tests.service.jobs.handlers import HANDLERS

PATH = "tests.service.jobs.handlers:HANDLERS"


async def work(url: str, runs: Engine, postmaster: int) -> None:
    """A loop of a worker, without the reaper that would end it, until the queue is empty.

    From the beginning of the task on, nobody can connect for three seconds.
    """
    named = {"application_name": "assay worker"}  # by which the task finds what to cut off
    app = App(connector=PsycopgConnector(conninfo=url, timeout=0.5, kwargs=named))
    for name in HANDLERS:
        app.task(name=name, pass_context=True, retry=Retry())(worker._run_task)
    child = Child("cpu", PATH, url)
    deadline = time.monotonic() + 60
    async with app.open_async():
        loop = worker._loop(app, "score", Runner(child, HANDLERS))
        running = asyncio.create_task(loop.run())
        while not noted(runs) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        os.kill(postmaster, signal.SIGSTOP)
        try:
            await asyncio.sleep(3)
        finally:
            os.kill(postmaster, signal.SIGCONT)
        while left(runs) and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        loop.stop()
        await asyncio.wait([running], timeout=10)
        await child.close()


def noted(runs: Engine) -> list[tuple[Any, ...]]:
    with runs.connect() as db:
        rows = db.execute(text("SELECT what, attempt FROM runs ORDER BY number"))
        return [tuple(row) for row in rows]


def left(runs: Engine) -> int:
    query = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    with runs.connect() as db:
        return int(db.scalar(text(query)) or 0)


def test_a_connection_lost_at_its_end_is_no_attempt_and_loses_no_task(
    runs: Engine, fresh_url: str, postgres: EmbeddedPostgres
) -> None:
    with runs.begin() as db:
        queue.defer(db, "test.severed", name="one")
    assert postgres.process is not None
    asyncio.run(work(fresh_url, runs, postgres.process.pid))
    assert noted(runs) == [("begun", 1)]
    assert left(runs) == 0


def test_what_is_no_fault_of_the_database_is_not_tried_again() -> None:
    async def refused() -> None:
        raise ConnectorException from psycopg.errors.RaiseException("no such task")

    with pytest.raises(ConnectorException):
        asyncio.run(retried(refused))


def test_a_loop_that_ends_does_not_cut_it_short() -> None:
    """Procrastinate cancels what runs; cancelled here, it would be counted as an attempt."""
    answers = iter([psycopg.OperationalError("the connection is closed"), None])

    async def ask() -> str:
        error = next(answers)
        if error is not None:
            raise ConnectorException from error
        return "told"

    async def cancelled() -> str:
        telling = asyncio.create_task(retried(ask))
        await asyncio.sleep(0.05)
        telling.cancel()
        return await telling

    assert asyncio.run(cancelled()) == "told"
