"""Attempts at a job: how many, how far apart, and what becomes of a job that has none left.

A job that is to be settled becomes its own hook: the row keeps its number and ids, its task is
renamed to `….failed` or `….cancelled`, and it is queued again. So settling is as durable as the
work itself, whichever process dies next.
"""

from __future__ import annotations

from dataclasses import dataclass

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from service.jobs.tasks import CANCELLED, FAILED

ATTEMPTS = 3  # at a task
HOOK_ATTEMPTS = 10  # at a hook: our rows must not be left open
WAIT = 1  # seconds, times the attempts made

# the hook starts as a job that was never tried: Procrastinate's retry adds one to `attempts`
BECOME = """
UPDATE procrastinate_jobs
   SET task_name = %(task)s, args = args || %(more)s, attempts = -1, abort_requested = false
 WHERE id = %(job)s AND status = 'doing'
"""
# an orderly stop is no attempt: takes away the one that Procrastinate's retry will add
FORGIVE = "UPDATE procrastinate_jobs SET attempts = attempts - 1 WHERE id = %(job)s"
# once taken, a job no longer holds the one place in the queue: else it could not go back to it
LEAVE = "UPDATE procrastinate_jobs SET queueing_lock = NULL WHERE id = %(job)s"
KEEP = "UPDATE procrastinate_jobs SET abort_requested = false WHERE id = %(job)s"


@dataclass
class Requeue(Exception):
    """The job goes back to the queue, to be taken after `wait` seconds."""

    reason: str
    wait: int = 0

    def __str__(self) -> str:
        return self.reason


class Retry(BaseRetryStrategy):
    """Everything goes back to the queue; what must not has become its hook before."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, GivenUp):
            return None
        wait = exception.wait if isinstance(exception, Requeue) else WAIT
        return RetryDecision(retry_in={"seconds": wait}) if wait else RetryDecision()


class GivenUp(Exception):
    """The job is over and there is no hook to settle it."""


def is_hook(task: str) -> bool:
    return task.endswith((FAILED, CANCELLED))


def allowed(task: str) -> int:
    """How many attempts a task has."""
    return HOOK_ATTEMPTS if is_hook(task) else ATTEMPTS
