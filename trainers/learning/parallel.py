"""One function over many records, by as many processes as there are cores to spare."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from typing import Any, TypeVar

from trainers.job.process import die_with_parent

A = TypeVar("A")
B = TypeVar("B")

CHUNK = 256  # items that a process takes at once; fewer than two such are not worth a process


def mapped(function: Callable[[int, A], B], items: Sequence[A]) -> list[B]:
    """[function(0, items[0]), function(1, items[1]), …]; raises what the first that fails raises.

    The processes are forks of this one: they have the function and the items without a copy. So the
    function must not run a model.
    """
    starts = range(0, len(items), CHUNK)

    def chunk(start: int) -> list[B]:
        part = items[start : start + CHUNK]
        return [function(start + at, item) for at, item in enumerate(part)]

    count = min(cores(), len(starts))
    if count < 2:
        return list(chain.from_iterable(map(chunk, starts)))
    global _work  # noqa: PLW0603 (forks find it; a function inside another cannot be sent)
    _work = chunk
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(count, fork, initializer=die_with_parent) as pool:
        return list(chain.from_iterable(pool.map(_at, starts)))


def cores() -> int:
    """Cores for each of the job's processes on this machine."""
    return len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


_work: Callable[[int], Any]


def _at(start: int) -> Any:
    return _work(start)
