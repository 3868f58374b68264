"""Rows from later than now: what a clock that was set back leaves behind."""

from __future__ import annotations

import asyncio

import pytest
from psycopg import AsyncConnection
from sqlalchemy import Engine, text

from service.jobs import queue, reaper
from service.jobs.retry import LONGEST

AHEAD = "now() + interval '1 day'"


def sweep(url: str) -> None:
    async def once() -> None:
        async with await AsyncConnection.connect(url) as connection:
            await reaper.sweep(connection, {})

    asyncio.run(once())


def row(engine: Engine, task: int) -> tuple[str, float]:
    """The status, and the seconds still to wait."""
    query = text(
        "SELECT status::text, coalesce(extract(epoch FROM scheduled_at - now()), 0)::float"
        "  FROM procrastinate_jobs WHERE id = :task"
    )
    with engine.connect() as db:
        status, wait = db.execute(query, {"task": task}).one()
    return status, wait


def test_a_dead_worker_is_found_though_the_clock_was_set_back(
    engine: Engine, fresh_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "STALLED", 0.0)
    with engine.begin() as db:
        task = queue.defer(db, "evaluate.plan", evaluation="eval_1")
        dead = f"INSERT INTO procrastinate_workers VALUES (DEFAULT, {AHEAD}) RETURNING id"  # noqa: S608
        taken = "UPDATE procrastinate_jobs SET status = 'doing', worker_id = :worker"
        db.execute(text(taken), {"worker": db.scalar(text(dead))})
    sweep(fresh_url)
    assert row(engine, task)[0] == "doing"  # it may live, and has as long as any to say so
    sweep(fresh_url)
    assert row(engine, task) == ("todo", 0)


def test_no_wait_is_longer_than_the_longest(engine: Engine, fresh_url: str) -> None:
    with engine.begin() as db:
        late = queue.defer(db, "evaluate.plan", evaluation="eval_1")
        db.execute(text(f"UPDATE procrastinate_jobs SET scheduled_at = {AHEAD}"))  # noqa: S608
        due = queue.defer(db, "evaluate.plan", evaluation="eval_2")
    sweep(fresh_url)
    assert 0 < row(engine, late)[1] <= LONGEST
    assert row(engine, due) == ("todo", 0)


def test_nothing_has_waited_less_than_no_time(engine: Engine) -> None:
    with engine.begin() as db:
        queue.defer(db, "evaluate.plan", evaluation="eval_1")
        db.execute(text(f"UPDATE procrastinate_events SET at = {AHEAD}"))  # noqa: S608
    with engine.connect() as db:
        assert queue.oldest(db) == {"score": 0.0}
