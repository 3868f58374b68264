"""Attempts at a task: how many, how far apart, and what becomes of a task that has none left.

Only what a task does itself counts as an attempt: an error of its own, the death of the compute
process that ran it. A worker that stops or dies, a lost database and a full disk do not: the task
goes back to the queue as it was, later and later while that lasts.

A task that is over becomes its own hook: the row keeps its number and ids, its name gets `.failed`
or `.cancelled` at the end, and it is queued again. So the end is as durable as the work itself,
whichever process dies next.
"""

from __future__ import annotations

from dataclasses import dataclass

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from service.jobs.tasks import CANCELLED, FAILED

ATTEMPTS = 3  # at a task
HOOK_ATTEMPTS = 10  # at a hook: our rows must not be left open
WAIT = 1  # seconds, times the attempts made
LOSSES = 20  # workers within an hour that a task may take with it, if it is the task
LONGEST = 120  # seconds between starts that do not count


@dataclass
class Requeue(Exception):
    """The task goes back to the queue, to be taken after `wait` seconds."""

    reason: str
    wait: int = 0

    def __str__(self) -> str:
        return self.reason


class GivenUp(Exception):
    """The task is over and no hook is left to run."""


class Retry(BaseRetryStrategy):
    """Everything goes back to the queue; what must not has become its hook before."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """When Procrastinate takes the task again; None: never."""
        if isinstance(exception, GivenUp):
            return None
        wait = exception.wait if isinstance(exception, Requeue) else WAIT
        return RetryDecision(retry_in={"seconds": wait}) if wait else RetryDecision()


def pause(starts: int) -> int:
    """Seconds before the next start of a task that went back uncounted, by its starts of late."""
    doublings = min(max(starts, 1) - 1, LONGEST.bit_length())
    return min((1 << doublings) - 1, LONGEST)


def is_hook(name: str) -> bool:
    """Whether the task called `name` is another one's hook."""
    return name.endswith((FAILED, CANCELLED))


def allowed(name: str) -> int:
    """How many attempts the task called `name` has."""
    return HOOK_ATTEMPTS if is_hook(name) else ATTEMPTS
