"""The reaper: gives the jobs of dead workers back to the queue. Every worker runs one.

Procrastinate lists stalled jobs but leaves them be. Only one reaper looks at a time (two with the
same list would give a job back that has been taken again), and it also removes the dead worker, so
that one which merely stood still finds out that its jobs are others' now.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from service.jobs.retry import BECOME, allowed
from service.jobs.tasks import CANCELLED, FAILED

EVERY = 2.0  # seconds
STALLED = 8.0  # seconds without a heartbeat
LOCK = 0x41535341_5952  # one reaper at a time, in all processes
HOURS_KEPT = 24  # of jobs that failed or were stopped, for people to look at
TIDY_EVERY = 900.0  # seconds

# work never outlives its worker's row: no row, or an old heartbeat, and the job is nobody's
STALLED_JOBS = """
SELECT id, task_name, attempts, abort_requested
  FROM procrastinate_jobs job
 WHERE status = 'doing'
   AND NOT EXISTS (
       SELECT FROM procrastinate_workers worker
        WHERE worker.id = job.worker_id
          AND worker.last_heartbeat >= now() - make_interval(secs => %(stalled)s))
   FOR UPDATE OF job SKIP LOCKED
"""
# the mark Procrastinate leaves when a job fails just as it is asked to stop: nobody settled it
UNSETTLED = """
UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL
 WHERE status = 'failed' AND abort_requested
RETURNING id, task_name, attempts, abort_requested
"""
GIVE_BACK = """
UPDATE procrastinate_jobs
   SET status = 'todo', attempts = attempts + 1, worker_id = NULL, scheduled_at = NULL,
       queueing_lock = NULL
 WHERE id = %(job)s
"""
CLOSE = """
UPDATE procrastinate_jobs SET status = %(status)s, abort_requested = false WHERE id = %(job)s
"""
ALIVE = """
UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = ANY(%(workers)s) RETURNING id
"""
PRUNE = """
DELETE FROM procrastinate_workers
 WHERE last_heartbeat < now() - make_interval(secs => %(stalled)s)
"""
TIDY = """
DELETE FROM procrastinate_jobs job
 WHERE status IN ('failed', 'aborted', 'cancelled')
   AND NOT abort_requested
   AND NOT EXISTS (
       SELECT FROM procrastinate_events event
        WHERE event.job_id = job.id AND event.at > now() - make_interval(hours => %(hours)s))
"""

log = logging.getLogger(__name__)


class Lost(Exception):
    """Others took this worker for dead and have its jobs: it must end."""


async def reap(
    pool: AsyncConnectionPool,
    handlers: Mapping[str, str],
    workers: Callable[[], Sequence[int]],
) -> None:
    """Runs until cancelled. `workers`: the ids of this process's own. Raises Lost."""
    tidied = 0.0
    clock = asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(EVERY)
        async with pool.connection() as connection:
            await _check_alive(connection, list(workers()))
        async with pool.connection() as connection:  # one transaction
            await sweep(connection, handlers)
            if clock() - tidied >= TIDY_EVERY:
                await connection.execute(TIDY, {"hours": HOURS_KEPT})
                tidied = clock()


async def beat(pool: AsyncConnectionPool, workers: Callable[[], Sequence[int]]) -> None:
    """Only the heartbeats, of a process that is ending and still saves. Runs until cancelled."""
    while True:
        async with pool.connection() as connection:
            await connection.execute(ALIVE, {"workers": list(workers())})
        await asyncio.sleep(EVERY)


async def _check_alive(connection: AsyncConnection, own: list[int]) -> None:
    found = await connection.execute(ALIVE, {"workers": own})
    if found.rowcount < len(own):
        raise Lost("this worker was taken for dead")


async def sweep(connection: AsyncConnection, handlers: Mapping[str, str]) -> None:
    """Gives back what dead workers held, in the connection's transaction."""
    locked = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
    row = await locked.fetchone()
    if row is None or not row[0]:
        return
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(STALLED_JOBS, {"stalled": STALLED})
        stalled = await cursor.fetchall()
        await cursor.execute(UNSETTLED)
        stalled += await cursor.fetchall()
        for job in stalled:
            name, task = job["id"], job["task_name"]
            hook, more = "", {}
            if job["abort_requested"]:
                hook = CANCELLED
            elif job["attempts"] + 1 >= allowed(task):
                made = job["attempts"] + 1
                hook = FAILED
                more = {"reason": f"gave up after {made} attempts: its worker died"}
            log.warning("job %s (%s) lost its worker", name, task)
            if not hook:
                await cursor.execute(GIVE_BACK, {"job": name})
            elif task + hook in handlers:
                values = {"job": name, "task": task + hook, "more": Jsonb(more)}
                await cursor.execute(BECOME, values)
                await cursor.execute(GIVE_BACK, {"job": name})
            else:
                status = "aborted" if hook == CANCELLED else "failed"
                await cursor.execute(CLOSE, {"job": name, "status": status})
        await cursor.execute(PRUNE, {"stalled": STALLED})
