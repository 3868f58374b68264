"""The worker process, one per device: takes tasks from its queues, runs each in a compute process.

It holds no model library. Every queue has a loop and a compute process of its own, so that neither
a training job nor a server that takes its time delays scores. It ends with status 0 when it is told
to (SIGTERM, SIGINT: what runs goes back to the queue, training with all its steps), and with 1 when
the database is lost or others took it for dead; whoever started it starts it again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Protocol

from procrastinate import App, PsycopgConnector, RetryDecision
from procrastinate.job_context import JobContext, JobResult
from procrastinate.jobs import DeleteJobCondition, Job, Notification, Status
from procrastinate.worker import Worker
from sqlalchemy.exc import SQLAlchemyError

from service.db.engine import connect
from service.jobs import housekeeping, tasks
from service.jobs.child import Child
from service.jobs.database_retry import retried
from service.jobs.reaper import STALLED, beat, reap
from service.jobs.retry import Retry
from service.jobs.runner import GRACE, Runner
from service.logs import configure
from service.processes import conceal
from service.settings import Settings, get_settings

HANDLERS = "service.jobs.tasks:HANDLERS"
HEARTBEAT = 2.0  # seconds
POLL = 1.0  # seconds: nothing tells of a task that is given back, due, or whose lock is free
STOPPING = 2.0  # seconds a short task has to finish before it goes back to the queue

log = logging.getLogger(__name__)


class Loop(Protocol):
    """What we use of Procrastinate's worker."""

    worker_id: int | None

    async def run(self) -> None:
        """Take tasks until told to stop."""

    def stop(self) -> None:
        """End the loop once its task is done or given back."""


async def run(
    settings: Settings,
    device: str = "cpu",
    concurrency: int = 1,
    handlers_path: str = HANDLERS,
    grace: float = GRACE,
) -> int:
    """Work until told to stop, then return 0. Call it on the main thread.

    Ends the process with status 1 when the database is lost, or others took us for dead.

    `concurrency` is the number of loops, each with a compute process, per queue; `grace`, in
    seconds, what a task has to stop between two batches before its process is killed.
    """
    stop = _stop_signal()
    handlers = tasks.table(handlers_path)
    queues = [queue for queue in settings.queues for _ in range(concurrency)]
    children = [
        Child(device, handlers_path, settings.url, tasks.AT_ONCE.get(queue, 1)) for queue in queues
    ]
    connector = PsycopgConnector(
        conninfo=settings.url,
        min_size=1,
        max_size=2 * len(queues) + 2,
        timeout=5.0,
        kwargs={"application_name": "assay worker", "connect_timeout": 10},
    )
    app = App(connector=connector)
    for name in handlers:  # every task by its name; the code is the child's business
        app.task(name=name, pass_context=True, retry=Retry())(_run_task)
    async with app.open_async():
        try:
            for child in children:
                if child.at_once == 1:  # warm before its first task
                    await child.start()
            loops = [
                _loop(
                    app,
                    queue,
                    Runner(child, handlers, grace, settings.stop_seconds, settings.stall_seconds),
                )
                for queue, child in zip(queues, children, strict=True)
            ]
            housekeeping.start(settings)
            await _supervise(loops, children, connector, handlers, stop)
        finally:
            for child in children:
                await child.close()
    return 0


async def _supervise(
    loops: Sequence[Loop],
    children: Sequence[Child],
    connector: PsycopgConnector,
    handlers: Mapping[str, str],
    stop: asyncio.Event,
) -> None:
    """Run the loops and the reaper until we are told to stop; when one of them fails, exit."""

    def ids() -> list[int]:
        return [loop.worker_id for loop in loops if loop.worker_id is not None]

    running = [asyncio.create_task(loop.run()) for loop in loops]
    reaper = asyncio.create_task(reap(connector.pool, handlers, ids), name="reaper")
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([reaper, stopping, *running], return_when=asyncio.FIRST_COMPLETED)
    failed = [task for task in (reaper, *running) if task.done()]
    for loop in loops:
        loop.stop()
    for child in children:
        child.release()
    reaper.cancel()
    alive = asyncio.create_task(beat(connector.pool, ids))  # the loops' own hearts have stopped
    await asyncio.wait(running, timeout=2 * STOPPING if failed else None)
    alive.cancel()
    if failed:
        log.error("the worker ends: %r", next((task.exception() for task in failed), None))
        os._exit(1)  # without a database there is no orderly way out; the children end with us


async def _run_task(context: JobContext, /, **ids: object) -> None:
    runner: Runner = context.additional_context["runner"]
    await runner.run(context)


class SafeWorker(Worker):
    """Procrastinate's own forgets a notification that comes while it looks for a task, and a task
    whose end it could not store."""

    _notifications = 0

    async def _handle_notification(self, *, channel: str, notification: Notification) -> None:
        self._notifications += 1
        await super()._handle_notification(channel=channel, notification=notification)

    async def _fetch_and_process_jobs(self) -> None:
        before = -1
        while before != self._notifications and not self._stop_event.is_set():
            before = self._notifications
            await super()._fetch_and_process_jobs()  # type: ignore[no-untyped-call]

    async def _persist_job_status(
        self,
        job: Job,
        status: Status,
        retry_decision: RetryDecision | None,
        context: JobContext,
        job_result: JobResult | None,
    ) -> None:
        persist = super()._persist_job_status
        await retried(lambda: persist(job, status, retry_decision, context, job_result))


def _loop(app: App, queue: str, runner: Runner) -> Loop:
    return SafeWorker(
        app,
        queues=[queue],
        name=queue,
        concurrency=runner.child.at_once,
        fetch_job_polling_interval=POLL,
        abort_job_polling_interval=POLL,
        shutdown_graceful_timeout=STOPPING,
        delete_jobs=DeleteJobCondition.SUCCESSFUL,
        additional_context={"runner": runner},
        install_signal_handlers=False,
        update_heartbeat_interval=HEARTBEAT,
        stalled_worker_timeout=STALLED,
    )


def _stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _register_device(settings: Settings, device: str) -> None:
    """Tell how much memory there is to train in. Without it nothing is refused beforehand."""
    engine = connect(settings.url, pool_size=1)
    try:
        with engine.begin() as db:
            tasks.register_device(db, settings, device)
    except SQLAlchemyError as error:  # the work itself will say so again, if it goes on
        log.warning("the device could not be registered: %s", error)
    finally:
        engine.dispose()


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m service.jobs.worker`, and what `assay worker` calls. Returns the exit status."""
    settings = get_settings()
    parser = argparse.ArgumentParser(prog="python -m service.jobs.worker")
    parser.add_argument("--device", default="cpu", help="cpu, or as torch names it: cuda:0")
    parser.add_argument("--queues", default=settings.worker_queues, help="separated by commas")
    parser.add_argument("--concurrency", type=int, default=1, help="compute processes per queue")
    parser.add_argument("--handlers", default=HANDLERS)
    parser.add_argument(
        "--grace", type=float, default=GRACE, help="seconds to stop in, before a kill"
    )
    options = parser.parse_args(argv)
    configure(settings)
    conceal()
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # every attempt to connect again
    settings = settings.model_copy(update={"worker_queues": options.queues})
    os.environ["ASSAY_WORKER_QUEUES"] = options.queues  # for the compute processes
    if "train" in settings.queues:
        _register_device(settings, options.device)
    work = run(settings, options.device, options.concurrency, options.handlers, options.grace)
    return asyncio.run(work)


if __name__ == "__main__":
    from service.jobs.worker import main as run_main  # the app must not live in `__main__`

    raise SystemExit(run_main())
