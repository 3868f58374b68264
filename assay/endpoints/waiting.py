"""Waiting for the end of what runs in the background."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from assay.errors import WaitTimedOut
from assay.exchange import Script, Step, get, read, waited
from assay.models import Evaluation
from assay.training_models import TrainingJob

HELD = 20.0  # seconds that the service holds one request back at most
PAUSE = 0.3  # seconds between two requests

E = TypeVar("E", Evaluation, TrainingJob)


def until(
    root: str,
    name: str,
    answer: type[E],
    *,
    ended: Callable[[E], bool],
    timeout: float,
    report: Callable[[E], None] | None,
) -> Script[E]:
    """What lies at `root/name`, once it has `ended`.

    Without a report, the service is asked to hold its answer back (`Prefer: wait`) where it can.
    Raises WaitTimedOut after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    delay = 0.0
    while True:
        left = deadline - time.monotonic()
        held = 0.0 if report else max(0.0, min(HELD, left))
        reply = yield Step(waited(get(root, name), held), delay)
        current = read(reply, answer)
        if report is not None:
            report(current)
        if ended(current):
            return current
        if left <= 0:
            raise WaitTimedOut(name=name, state=current.status, url=reply.url, timeout=timeout)
        delay = min(PAUSE, max(0.0, left))
