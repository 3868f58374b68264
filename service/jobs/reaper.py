"""The reaper: gives the tasks of dead workers back to the queue. Every worker runs one.

Procrastinate lists stalled tasks but leaves them be. Only one reaper looks at a time (two with the
same list would give a task back that has been taken again), and it also removes the dead worker, so
that one which merely stood still finds out that its tasks are others' now.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from service.jobs import sql
from service.jobs.retry import LONGEST, LOSSES, is_hook, pause
from service.jobs.tasks import CANCELLED, FAILED

EVERY = 2.0  # seconds
STALLED = 8.0  # seconds without a heartbeat
SLACK = 1.0  # seconds that a row may be from later than now: its transaction began after ours
LOCK = 0x41535341_5952  # one reaper at a time, in all processes

log = logging.getLogger(__name__)


class Lost(Exception):
    """Others took this worker for dead and have its tasks: it must end."""


@dataclass(frozen=True, slots=True)
class LostTask:
    """A task that nobody works at any more."""

    id: int
    name: str
    abort_requested: bool
    starts: int  # of late, the one that was lost included

    @property
    def hook(self) -> str:
        """The suffix of the hook that is due; empty where the task is to run again.

        The death of a worker is not its task's fault, unless it comes again and again: a task may
        need more memory than a container has, which ends all of the container's processes.
        """
        if self.abort_requested:
            return CANCELLED
        return FAILED if self.starts >= LOSSES and not is_hook(self.name) else ""

    @property
    def hook_ids(self) -> Mapping[str, str]:
        """What the hook is given beside the task's own ids."""
        reason = f"gave up: {self.starts} workers died while they ran it, perhaps out of memory"
        return {"reason": reason} if self.hook == FAILED else {}


async def reap(
    pool: AsyncConnectionPool,
    handlers: Mapping[str, str],
    workers: Callable[[], Sequence[int]],
) -> None:
    """Run until cancelled. `workers`: the ids of this process's own. Raises Lost."""
    while True:
        await asyncio.sleep(EVERY)
        async with pool.connection() as connection:
            await _check_alive(connection, list(workers()))
        async with pool.connection() as connection:  # one transaction
            await sweep(connection, handlers)


async def beat(pool: AsyncConnectionPool, workers: Callable[[], Sequence[int]]) -> None:
    """Only the heartbeats, of a process that is ending and still saves. Runs until cancelled."""
    while True:
        async with pool.connection() as connection:
            await connection.execute(sql.HEARTBEAT, {"workers": list(workers())})
        await asyncio.sleep(EVERY)


async def _check_alive(connection: AsyncConnection, own: list[int]) -> None:
    alive = await connection.execute(sql.HEARTBEAT, {"workers": own})
    if alive.rowcount < len(own):
        raise Lost("this worker was taken for dead")


async def sweep(connection: AsyncConnection, handlers: Mapping[str, str]) -> None:
    """Give back what dead workers held, in the connection's transaction."""
    if not await _locked(connection):
        return
    await connection.execute(sql.AGE_HEARTBEATS, {"slack": SLACK})
    await connection.execute(sql.LIMIT_WAITS, {"longest": LONGEST, "slack": SLACK})
    async with connection.cursor(row_factory=class_row(LostTask)) as cursor:
        await cursor.execute(sql.LOST, {"stalled": STALLED})
        tasks = await cursor.fetchall()
        await cursor.execute(sql.UNFINISHED_ABORTS)
        tasks += await cursor.fetchall()
    for task in tasks:
        log.warning("job %s (%s) lost its worker", task.id, task.name)
        await _give_back(connection, task, handlers)
    await connection.execute(sql.DELETE_DEAD_WORKERS, {"stalled": STALLED})


async def _locked(connection: AsyncConnection) -> bool:
    """Whether this is the one reaper at work, until its transaction ends."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql.TRY_LOCK_OF_WORKERS, {"key": LOCK})
        return bool(await cursor.fetchone())


async def _give_back(
    connection: AsyncConnection, task: LostTask, handlers: Mapping[str, str]
) -> None:
    """To the queue: as it is, or as its hook. A task without the hook that is due is finished."""
    name = task.name + task.hook
    if task.hook and name not in handlers:
        status = "aborted" if task.hook == CANCELLED else "failed"
        await connection.execute(sql.FINISH, {"task": task.id, "status": status})
        return
    if task.hook:
        values = {"task": task.id, "name": name, "ids": Jsonb(task.hook_ids), "attempts": 0}
        await connection.execute(sql.BECOME_HOOK, values)
    wait = 0 if task.hook else pause(task.starts)
    await connection.execute(sql.GIVE_BACK, {"task": task.id, "wait": wait})
