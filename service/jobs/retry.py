"""Attempts at a task: how many, how far apart, and what becomes of a task that has none left.

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


def is_hook(name: str) -> bool:
    """Whether the task called `name` is another one's hook."""
    return name.endswith((FAILED, CANCELLED))


def allowed(name: str) -> int:
    """How many attempts the task called `name` has."""
    return HOOK_ATTEMPTS if is_hook(name) else ATTEMPTS
