"""Many things asked for on an event loop, by a thread that takes them as they arrive."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from inference.remote.loop import LoopThread

HEARTBEAT_S = 1.0

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int], None]
WATCH: ContextVar[Callable[[], None] | None] = ContextVar("watch", default=None)
Ask = Callable[[T, Callable[[], bool]], Coroutine[Any, Any, R]]


@contextmanager
def watched(alive: Callable[[], None]) -> Iterator[None]:
    """What is asked for inside, by whomever, calls `alive` about once a second and as replies
    arrive, in the thread that waits for them; what it raises ends the work."""
    token = WATCH.set(alive)
    try:
        yield
    finally:
        WATCH.reset(token)


async def awaited(work: Coroutine[Any, Any, T]) -> T:
    """What `work` comes to; whoever watches hears of it while it takes long."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=HEARTBEAT_S))[0]:
            _alive()
        return task.result()
    finally:
        task.cancel()


def _alive() -> None:
    if (alive := WATCH.get()) is not None:
        alive()


def asked(
    loop: LoopThread,
    wanted: Sequence[T],
    ask: Ask[T, R],
    at_once: int,
    left_over: Callable[[T, R], None],
) -> Generator[tuple[T, R] | tuple[None, None], None, None]:
    """Each thing with its answer, as it arrives; (None, None) where none has come for a while.

    What `ask` raises is raised here once all that are out have come back: they are paid for, and
    are handed over before. `ask` is also given a function that says whether to go on. Whoever stops
    taking cancels what is out; what has arrived by then goes to `left_over`.
    """
    arrived: queue.SimpleQueue[tuple[T, R] | None] = queue.SimpleQueue()

    async def work() -> None:
        waiting = iter(wanted)
        ends: list[Exception] = []

        async def one_after_another() -> None:
            for one in waiting:
                if ends:
                    return
                try:
                    arrived.put((one, await ask(one, lambda: not ends)))
                except Exception as error:  # noqa: BLE001 - raised below
                    ends.append(error)

        await asyncio.gather(*(one_after_another() for _ in range(min(at_once, len(wanted)))))
        if ends:
            raise ends[0]

    running: Future[None] = loop.start(work())
    running.add_done_callback(lambda _: arrived.put(None))
    try:
        while True:
            try:
                pair = arrived.get(timeout=HEARTBEAT_S)
            except queue.Empty:
                yield None, None
                continue
            if pair is None:
                running.result()
                return
            yield pair
    finally:
        running.cancel()
        while not arrived.empty():
            if (pair := arrived.get()) is not None:
                left_over(*pair)


class Counting:
    """Which requests have all of their replies; tells `progress`."""

    def __init__(
        self, left: list[int], wanting: Mapping[bytes, list[int]], progress: Progress | None
    ) -> None:
        self.left = left
        self.wanting = wanting
        self.progress = progress

    def alive(self) -> None:
        """Nothing has come for a while, and nothing is wrong."""
        if self.progress is not None:
            self.progress(0)
        else:
            _alive()

    def arrived(self, key: bytes) -> None:
        """One reply, which may answer several requests."""
        whole = 0
        for request in self.wanting[key]:
            self.left[request] -= 1
            whole += self.left[request] == 0
        if self.progress is None:
            self.alive()
        elif whole:
            self.progress(whole)
