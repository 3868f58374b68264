"""Notices: woken by a commit, by nothing else, and by every reconnection."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import psycopg
from sqlalchemy import Engine

from service.db.notices import Notices, notify


def tell(engine: Engine, id: str) -> None:
    with engine.begin() as db:
        notify(db, id)


async def wakes_its_watchers(engine: Engine, url: str) -> None:
    async with Notices(url) as notices:
        assert await notices.ready(5)
        watch = notices.watch
        async with watch("eval_1") as one, watch("eval_1") as same, watch("eval_2") as other:
            await asyncio.to_thread(tell, engine, "eval_1")
            assert await one.wait(2)
            assert await same.wait(2)
            assert not await other.wait(0.2)
            assert not await one.wait(0.05)  # the flag was cleared
            await asyncio.to_thread(tell, engine, "eval_2")
            assert await other.wait(2)
        assert not notices._wakes  # nothing is kept for those who left


def test_a_commit_wakes_those_who_watch_the_id(engine: Engine, fresh_url: str) -> None:
    asyncio.run(wakes_its_watchers(engine, fresh_url))


def test_a_rollback_wakes_nobody(engine: Engine, fresh_url: str) -> None:
    def roll_back() -> None:
        with engine.connect() as db:
            notify(db, "eval_1")

    async def body() -> None:
        async with Notices(fresh_url) as notices, notices.watch("eval_1") as wake:
            assert await notices.ready(5)
            await wake.wait(0.1)  # the first connection wakes everyone
            await asyncio.to_thread(roll_back)
            assert not await wake.wait(0.3)

    asyncio.run(body())


def test_a_notice_between_reading_and_waiting_is_kept(engine: Engine, fresh_url: str) -> None:
    async def body() -> None:
        async with Notices(fresh_url) as notices, notices.watch("eval_1") as wake:
            assert await notices.ready(5)
            await wake.wait(0.1)
            await asyncio.to_thread(tell, engine, "eval_1")  # while its reader is busy
            await asyncio.sleep(0.3)
            assert await wake.wait(0)

    asyncio.run(body())


def test_a_lost_connection_wakes_everyone_and_is_replaced(engine: Engine, fresh_url: str) -> None:
    def cut() -> None:
        with psycopg.connect(fresh_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'assay notices' AND datname = current_database()"
            )

    async def body() -> None:
        async with (
            Notices(fresh_url) as notices,
            notices.watch("eval_1") as one,
            notices.watch("eval_2") as two,
        ):
            assert await notices.ready(5)
            await one.wait(0.1)
            await two.wait(0.1)
            await asyncio.to_thread(cut)
            assert await one.wait(5)
            assert await two.wait(5)
            assert notices.listening
            await asyncio.to_thread(tell, engine, "eval_1")
            assert await one.wait(2)

    asyncio.run(body())


def test_many_watchers_share_one_connection_and_are_quick(engine: Engine, fresh_url: str) -> None:
    async def body() -> list[float]:
        async with Notices(fresh_url) as notices:
            assert await notices.ready(5)
            took: list[float] = []

            async def reader(number: int, told: asyncio.Event) -> None:
                async with notices.watch(f"eval_{number}") as wake:
                    ready.release()
                    await told.wait()
                    begun = time.monotonic()
                    assert await wake.wait(5)
                    took.append(time.monotonic() - begun)

            ready = asyncio.Semaphore(0)
            told = asyncio.Event()
            readers = [asyncio.create_task(reader(number, told)) for number in range(100)]
            for _ in readers:
                await ready.acquire()

            def tell_all() -> None:
                for number in range(100):
                    tell(engine, f"eval_{number}")

            told.set()
            await asyncio.to_thread(tell_all)
            await asyncio.gather(*readers)
            with engine.connect() as db:
                query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                listening = db.exec_driver_sql(
                    f"{query} AND application_name = 'assay notices'"
                ).scalar()
            assert listening == 1
            return took

    took = asyncio.run(body())
    assert len(took) == 100
    assert median(took) < 2
