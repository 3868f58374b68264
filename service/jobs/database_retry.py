"""Statements about a task at its end, which a database that is away for a moment must not undo.

One that fails leaves the task where nobody looks for it: counted as an attempt that was none, or
held for good by a worker that has long gone on. Where the database stays away, the process ends:
a dead worker's tasks are given back, uncounted (`reaper`).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from procrastinate.exceptions import ConnectorException

from service import faults

T = TypeVar("T")

PAUSES = (0.2, 1.0, 3.0, 5.0, 10.0)  # seconds between tries; a try for a connection takes 5 more

log = logging.getLogger(__name__)


async def retried(ask: Callable[[], Awaitable[T]]) -> T:
    """What `ask` returns, asked again while the database is at fault. Raises its other errors.

    Cancelling does not stop it: a loop that ends cancels what runs, and what was cancelled here
    would go back to the queue as an attempt.
    """
    asking = asyncio.ensure_future(_insist(ask))
    while not asking.done():
        try:
            await asyncio.wait({asking})
        except asyncio.CancelledError:
            uncancel()
    return asking.result()


def uncancel() -> None:
    """Forget that the current task was cancelled."""
    current = asyncio.current_task()
    if current is not None:
        current.uncancel()


async def _insist(ask: Callable[[], Awaitable[T]]) -> T:
    for pause in PAUSES:
        try:
            return await ask()
        except ConnectorException as error:
            if not faults.is_outside(error):
                raise
        await asyncio.sleep(pause)
    log.error("the database stays away: the worker ends, and its tasks go back to the queue")
    os._exit(1)
