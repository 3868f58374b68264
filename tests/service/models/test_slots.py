"""Limits of registered models, over processes that know nothing of each other."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import Engine

from inference.remote.registered import Registered
from service.models import registered
from service.models.slots import PostgresSlots
from tests.trainers.job.test_channel import asking
from tests.waiting import until
from trainers.job.channel import channel

MODEL = Registered("m", "http://x.test/v1", "m", concurrency=4)


class Out:
    """How many are out, and the most there were."""

    now = most = 0


async def use(slots: PostgresSlots, model: Registered, count: int, out: Out) -> None:
    async def one() -> None:
        async with slots.slot(model, 10):
            out.now += 1
            out.most = max(out.most, out.now)
            await asyncio.sleep(0.01)
            out.now -= 1

    async def some(number: int) -> None:
        for _ in range(number):
            await one()

    await asyncio.gather(*(some(count // model.concurrency) for _ in range(model.concurrency)))


def test_two_at_work_keep_to_the_limit_together(fresh_url: str) -> None:
    out = Out()

    async def both() -> None:
        first, second = PostgresSlots(fresh_url), PostgresSlots(fresh_url)
        await asyncio.gather(use(first, MODEL, 200, out), use(second, MODEL, 200, out))

    asyncio.run(both())
    assert out.most == 4


def test_who_comes_later_gets_a_part(fresh_url: str) -> None:
    async def race() -> tuple[float, float]:
        first, second = PostgresSlots(fresh_url), PostgresSlots(fresh_url)
        ends = {}

        async def timed(name: str, slots: PostgresSlots, count: int) -> None:
            await use(slots, MODEL, count, Out())
            ends[name] = time.monotonic()

        long = asyncio.create_task(timed("long", first, 800))
        await asyncio.sleep(0.3)
        await timed("short", second, 40)
        await long
        return ends["short"], ends["long"]

    short, long = asyncio.run(race())
    assert short < long


@pytest.mark.parametrize(("slots", "processes"), [(1, 2), (2, 3)])
def test_more_processes_than_slots_take_turns(fresh_url: str, slots: int, processes: int) -> None:
    model = replace(MODEL, concurrency=slots)

    async def work() -> None:
        async with asyncio.timeout(20):
            endless = [
                asyncio.create_task(use(PostgresSlots(fresh_url), model, 10**6, Out()))
                for _ in range(processes - 1)
            ]
            await asyncio.sleep(1)
            await use(PostgresSlots(fresh_url), model, 20, Out())
            for task in endless:
                task.cancel()

    asyncio.run(work())


def test_limits_that_change_hold_for_those_at_work(fresh_url: str, engine: Engine) -> None:
    """An evaluation and a job have read the registration when they began."""
    columns = {"name": "m", "url": MODEL.url, "model": "m", "concurrency": 4, "timeout_s": 60.0}
    with engine.begin() as db:
        assert registered.create(db, columns | {"extra_body": {}, "private": False})
    out = Out()

    async def work() -> int:
        both = [
            asyncio.create_task(use(PostgresSlots(fresh_url), MODEL, 10**6, out)) for _ in range(2)
        ]
        await asyncio.sleep(1.5)
        before, out.most = out.most, 0
        with engine.begin() as db:
            registered.change(db, "m", {"concurrency": 1})
        await asyncio.sleep(2)
        out.most = 0
        await asyncio.sleep(1)
        for task in both:
            task.cancel()
        return before

    assert (asyncio.run(work()), out.most) == (4, 1)


def test_slots_of_a_lost_process_are_free(fresh_url: str) -> None:
    """Its connection ends with it, whatever it held."""
    first, second = PostgresSlots(fresh_url), PostgresSlots(fresh_url)
    taken, _ = first._swap("m", [1, 2, 3, 4], 4, [])
    assert taken == [1, 2, 3, 4]
    assert second._swap("m", [1, 2, 3, 4], 2, [])[0] == []
    assert first._swap("m", [], 0, [])[1] == (1, 1)  # the other one wants some
    assert first._db is not None
    first._db.close()
    until(lambda: second._swap("m", [1, 2, 3, 4], 2, [])[0] == [1, 2], 10)  # once it is noticed
    assert second._swap("m", [], 0, [1, 2])[1] == (0, 0)


def test_rates_hold_over_processes(fresh_url: str) -> None:
    model = Registered("r", "http://x.test/v1", "m", requests_per_minute=10)
    first, second = PostgresSlots(fresh_url), PostgresSlots(fresh_url)
    assert first._send(model, [5] * 7) == 7
    assert second._send(model, [5] * 7) == 3
    assert second._send(model, [5]) == 0
    tokens = Registered("t", "http://x.test/v1", "m", tokens_per_minute=100)
    assert first._send(tokens, [60, 30, 30]) == 2
    assert first._send(Registered("u", "http://x.test/v1", "m", tokens_per_minute=100), [500]) == 1
    with psycopg.connect(fresh_url) as db:
        rows = db.execute("SELECT model, sum(requests) FROM model_minutes GROUP BY 1").fetchall()
    assert dict(rows) == {"r": 10, "t": 2, "u": 1}


def test_a_training_process_shares_limits_and_leaves_none_behind(fresh_url: str) -> None:
    """It asks four times at once; an evaluation has had two of the minute's five requests."""
    model = replace(MODEL, name="far", requests_per_minute=5)
    evaluation = PostgresSlots(fresh_url)
    assert evaluation._send(model, [10] * 2) == 2

    def sent() -> int:
        with psycopg.connect(fresh_url) as db:
            row = db.execute("SELECT sum(requests) FROM model_minutes").fetchone()
        return int(str(row[0])) if row else 0

    with (
        closing(PostgresSlots(fresh_url)) as slots,
        channel([model], slots) as job,
        asking(job, 60),
    ):
        until(lambda: sent() == 5)
        time.sleep(1.0)
        assert (sent(), job.waiting) == (5, 1)
        assert evaluation._send(model, [10]) == 0
        assert evaluation._swap("far", [1, 2, 3, 4], 4, [])[0] == []
    until(lambda: evaluation._swap("far", [1, 2, 3, 4], 4, [])[0] == [1, 2, 3, 4], 10)


def test_what_stands_still_costs_nothing(fresh_url: str) -> None:
    """A process that is done gives all back, and its task ends."""

    async def work() -> bool:
        slots = PostgresSlots(fresh_url)
        await use(slots, MODEL, 8, Out())
        task = slots._parts["m"].tending
        assert task is not None
        await asyncio.wait_for(task, 5)
        return not slots._parts["m"].free

    assert asyncio.run(work())
