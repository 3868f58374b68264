"""No notification is forgotten: Procrastinate's worker drops one that comes while it looks."""

import asyncio
from typing import Any

import pytest
from procrastinate import App
from procrastinate.testing import InMemoryConnector
from procrastinate.worker import Worker

from service.jobs.worker import SafeWorker


async def seconds_until_run(kind: type[Worker]) -> float:
    """Of a job that comes just after the look that does not find it."""
    app = App(connector=InMemoryConnector())
    ran = asyncio.Event()

    @app.task(name="noted", queue="q")
    async def noted() -> None:
        ran.set()

    async with app.open_async():
        worker = kind(app, queues=["q"], fetch_job_polling_interval=3.0)
        look, looks = app.job_manager.fetch_job, 0

        async def late(*args: Any, **kwargs: Any) -> Any:
            nonlocal looks
            looks += 1
            found = await look(*args, **kwargs)
            if looks == 1:
                await asyncio.sleep(0.1)  # until it listens
                await noted.defer_async()
                await asyncio.sleep(0.1)
            return found

        app.job_manager.fetch_job = late  # type: ignore[method-assign]
        running = asyncio.create_task(worker.run())
        begun = asyncio.get_running_loop().time()
        await asyncio.wait_for(ran.wait(), 10)
        took = asyncio.get_running_loop().time() - begun
        worker.stop()
        await running
        return took


@pytest.mark.parametrize(("kind", "prompt"), [(SafeWorker, True), (Worker, False)])
def test_a_job_that_comes_during_a_look_is_found_at_once(kind: type[Worker], prompt: bool) -> None:
    assert (asyncio.run(seconds_until_run(kind)) < 1.0) == prompt
