"""One attempt at a task, as the worker sees it: call the child, then decide what becomes of it."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from procrastinate.job_context import AbortReason, JobContext

from service.jobs import sql
from service.jobs.child import Child
from service.jobs.database_retry import retried, uncancel
from service.jobs.ipc import Answer, Call
from service.jobs.retry import WAIT, GivenUp, Requeue, allowed, is_hook, pause
from service.jobs.tasks import CANCELLED, FAILED, SAVING, TRIED_AGAIN

GRACE = 10.0  # seconds a task has to stop between two batches, before its process is killed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs the tasks of one loop in one child, as many at once as the child works at.

    grace   seconds a task that is asked to stop has, before its process is killed
    saving  seconds for a task that saves its state, when the worker is told to end
    stall   seconds without progress after which the compute process is killed; 0: never
    """

    child: Child
    handlers: Mapping[str, str]
    grace: float = GRACE
    saving: float = 0.0
    stall: float = 0.0

    async def run(self, context: JobContext) -> None:
        """Return when the task is done or was stopped; raise what Procrastinate should record."""
        task, attempt = context.job, context.job.attempts + 1
        if task.queueing_lock is not None:
            await _execute(context, sql.DROP_QUEUEING_LOCK)
        request = Call(task.id or 0, attempt, task.task_name, task.task_kwargs)
        call = asyncio.create_task(self.child.call(request))
        try:
            answer, stopped = await self._answer(context, call)
        finally:
            if not call.done():
                self.child.kill(request.task)
        await _check_held(context)
        await self._decide(context, answer, stopped, attempt)

    async def _answer(self, context: JobContext, call: asyncio.Task[Answer]) -> tuple[Answer, bool]:
        """The call's answer, and whether somebody asked it to stop. Raises Requeue at shutdown."""
        task, name = context.job.id or 0, context.job.task_name
        stopped = False
        while True:
            try:
                if stopped:
                    return await self._wait_stopped(call, task), True
                return await self._wait(call, task, name), False
            except asyncio.CancelledError:  # Procrastinate's way to say: stop
                uncancel()
            if context.abort_reason() is AbortReason.SHUTDOWN:
                if name in SAVING and await self._saved(call):
                    return call.result(), stopped
                self.child.kill(task)
                await self._requeue_at_shutdown(context)
            if is_hook(name):
                await _execute(context, sql.IGNORE_ABORT)
                continue
            log.info("task %s is asked to stop", task)
            self.child.cancel(task)
            stopped = True

    async def _saved(self, call: asyncio.Task[Answer]) -> bool:
        """Whether the call came to an end of its own; if not, what it saved is there for others."""
        self.child.release()
        await asyncio.wait({call}, timeout=self.saving)
        return call.done() and call.result().outcome in {"done", "cancelled"}

    async def _wait(self, call: asyncio.Task[Answer], task: int, name: str) -> Answer:
        """The call's answer; its process is killed once it has made no progress for too long."""
        began = time.monotonic()
        while not call.done():
            silent = time.monotonic() - max(self.child.advanced(task), began)
            if self.stall and silent >= self.stall:
                log.error("task %s has stalled: its compute process is killed", name)
                self.child.kill(task)
                await asyncio.shield(call)
                return _stalled(name, self.stall)
            await asyncio.wait({call}, timeout=self.stall - silent if self.stall else None)
        return call.result()

    async def _wait_stopped(self, call: asyncio.Task[Answer], task: int) -> Answer:
        """The call's answer, after a request to stop; its process is killed when it takes long."""
        await asyncio.wait({call}, timeout=self.grace)
        if not call.done():
            self.child.kill(task)
        return await asyncio.shield(call)

    async def _decide(
        self, context: JobContext, answer: Answer, stopped: bool, attempt: int
    ) -> None:
        """Done; or another attempt, or the hook, or neither, by raising Requeue or GivenUp."""
        task = context.job
        if answer.outcome == "done":
            return
        if answer.outcome == "released":
            await self._requeue_at_shutdown(context)
        if answer.outcome == "cancelled" or stopped:
            await self._become_hook(context, CANCELLED, {})
            return
        if answer.outcome == "disturbed":
            await self._requeue_disturbed(context, answer)
        reason = answer.message
        if answer.outcome == "failed" and not answer.permanent:  # never a stranger's message
            reason = (
                f"an internal error stopped it ({answer.kind}; the log of task {task.id} says more)"
            )
        if not answer.permanent and attempt < allowed(task.task_name):
            raise Requeue(reason, WAIT * attempt)
        if not answer.permanent:
            reason = f"gave up after {attempt} attempts: {reason}"
        if not is_hook(task.task_name):
            await self._become_hook(context, FAILED, {"reason": reason})
        raise GivenUp(reason)

    async def _requeue_at_shutdown(self, context: JobContext) -> None:
        await _execute(context, sql.FORGIVE_ATTEMPT)
        raise Requeue("the worker was told to end")

    async def _requeue_disturbed(self, context: JobContext, answer: Answer) -> None:
        """Back to the queue, uncounted, the later the longer the trouble lasts."""
        rows = await _read(context, sql.STARTS)
        wait = max(pause(rows[0]["starts"]), WAIT)
        log.warning("task %s is tried again in %d s: %s", context.job.id, wait, answer.kind)
        await _execute(context, sql.FORGIVE_ATTEMPT)
        raise Requeue(answer.message, wait)

    async def _become_hook(
        self, context: JobContext, suffix: str, more: Mapping[str, object]
    ) -> None:
        """Turn the task into its hook and requeue it, where there is such a hook."""
        name = context.job.task_name + suffix
        if name in self.handlers:
            await _execute(context, sql.BECOME_HOOK, name=name, ids=dict(more), attempts=-1)
            raise Requeue(f"to be finished by {name}")


def _stalled(name: str, limit: float) -> Answer:
    reason = f"no progress for {limit:g} s, the limit that ASSAY_STALL_SECONDS sets"
    permanent = not is_hook(name) and name not in TRIED_AGAIN
    return Answer("stalled", message=reason, permanent=permanent)


async def _check_held(context: JobContext) -> None:
    """End this process unless the task is still ours.

    It is not when this worker stood still for so long (stopped, swapped out) that others took it
    for dead; whatever it wrote about the task now would be about another's attempt.
    """
    task = context.job
    rows = await _read(context, sql.HOLDER)
    if [row["worker_id"] for row in rows] != [task.worker_id]:
        log.error("task %s is no longer ours: this worker was taken for dead, and ends", task.id)
        os._exit(1)


async def _read(context: JobContext, statement: str) -> Sequence[Mapping[str, Any]]:
    """Rows about the task, however often the connection breaks meanwhile."""
    ask = context.app.connector.execute_query_all_async
    return await retried(lambda: ask(statement, task=context.job.id))


async def _execute(context: JobContext, statement: str, **values: object) -> None:
    """Run a statement about the task, however often the connection breaks meanwhile."""
    ask = context.app.connector.execute_query_async
    await retried(lambda: ask(statement, task=context.job.id, **values))
