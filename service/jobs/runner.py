"""One attempt at one job, as the worker sees it: call the child, then decide what becomes of it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job

from service.jobs.child import Answer, Child
from service.jobs.retry import (
    BECOME,
    FORGIVE,
    KEEP,
    LEAVE,
    WAIT,
    GivenUp,
    Requeue,
    allowed,
    is_hook,
)
from service.jobs.tasks import CANCELLED, FAILED, SAVING

GRACE = 10.0  # seconds a job has to stop between two batches, before its process is killed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs the jobs of one loop in one child."""

    child: Child
    handlers: Mapping[str, str]
    grace: float = GRACE
    saving: float = 0.0  # seconds for what saves its state, when the worker is told to end

    async def perform(self, context: JobContext) -> None:
        """Returns when the job is done or was stopped; raises what Procrastinate should record."""
        job, attempt = context.job, context.job.attempts + 1
        if job.queueing_lock is not None:
            await _execute(context, LEAVE, job=job.id)
        call = asyncio.create_task(
            self.child.call(job.task_name, job.task_kwargs, job.id or 0, attempt)
        )
        try:
            answer, stopped = await self._answer(context, call)
        finally:
            if not call.done():
                self.child.kill()
        await _hold(context)
        await self._decide(context, answer, stopped, attempt)

    async def _answer(self, context: JobContext, call: asyncio.Task[Answer]) -> tuple[Answer, bool]:
        """The call's answer, and whether somebody asked it to stop. Raises Requeue at shutdown."""
        job = context.job
        stopped = False
        while True:
            try:
                return await self._wait(call, stopped), stopped
            except asyncio.CancelledError:  # Procrastinate's way to say: stop
                _uncancel()
            if context.abort_reason() is AbortReason.SHUTDOWN:
                if job.task_name in SAVING and await self._saved(call):
                    return call.result(), stopped
                self.child.kill()
                await _execute(context, FORGIVE, job=job.id)
                raise Requeue("the worker was told to end")
            if is_hook(job.task_name):  # settling rows is not to be stopped
                await _execute(context, KEEP, job=job.id)
                continue
            log.info("job %s is asked to stop", job.id)
            self.child.cancel(job.id or 0)
            stopped = True

    async def _saved(self, call: asyncio.Task[Answer]) -> bool:
        """Whether the call came to an end of its own; if not, what it saved is there for others."""
        self.child.release()
        await asyncio.wait({call}, timeout=self.saving)
        return call.done() and call.result().outcome in {"done", "cancelled"}

    async def _wait(self, call: asyncio.Task[Answer], stopped: bool) -> Answer:
        """The call's answer; after a request to stop its process is killed when it takes long."""
        await asyncio.wait({call}, timeout=self.grace if stopped else None)
        if not call.done():
            self.child.kill()
        return await asyncio.shield(call)

    async def _decide(
        self, context: JobContext, answer: Answer, stopped: bool, attempt: int
    ) -> None:
        job = context.job
        if answer.outcome == "done":
            return
        if answer.outcome == "released":
            await _execute(context, FORGIVE, job=job.id)
            raise Requeue("the worker was told to end")
        if answer.outcome == "cancelled" or stopped:
            await self._become(context, CANCELLED, {})
            return
        reason = answer.message
        if answer.outcome == "failed" and not answer.permanent:  # never a stranger's message
            reason = (
                f"an internal error stopped it ({answer.kind}; the log of job {job.id} says more)"
            )
        if not answer.permanent and attempt < allowed(job.task_name):
            raise Requeue(reason, WAIT * attempt)
        if not answer.permanent:
            reason = f"gave up after {attempt} attempts: {reason}"
        if is_hook(job.task_name):
            raise GivenUp(reason)
        await self._become(context, FAILED, {"reason": reason})
        raise GivenUp(reason)

    async def _become(self, context: JobContext, suffix: str, more: Mapping[str, Any]) -> None:
        """The job turns into its hook and goes back to the queue, where there is such a hook."""
        task = context.job.task_name + suffix
        if task in self.handlers:
            await _execute(context, BECOME, job=context.job.id, task=task, more=dict(more))
            raise Requeue(f"to be settled by {task}")


async def _hold(context: JobContext) -> None:
    """Ends this process unless the job is still ours.

    It is not when this worker stood still for so long (stopped, swapped out) that others took it
    for dead; whatever it wrote about the job now would be about another's attempt.
    """
    job: Job = context.job
    row = await context.app.connector.execute_query_all_async(
        "SELECT worker_id FROM procrastinate_jobs WHERE id = %(job)s AND status = 'doing'",
        job=job.id,
    )
    if not row or row[0]["worker_id"] != job.worker_id:
        log.error("job %s is no longer ours: this worker was taken for dead, and ends", job.id)
        os._exit(1)


async def _execute(context: JobContext, query: str, **values: Any) -> None:
    await context.app.connector.execute_query_async(query, **values)


def _uncancel() -> None:
    current = asyncio.current_task()
    if current is not None:
        current.uncancel()
