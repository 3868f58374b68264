"""Models behind URLs that rewards ask: handed to the training process, and when they may be asked.

Standard input is all that a rank below torchrun inherits. Each process sends one end of a socket
through it, then closes it, so that nothing it starts has it. On that socket are lines of JSON:

    supervisor  [{"name": "far", "key": …}, …]  once: in no file, argument or environment
    process     [1, "far", 250]                 wants its slot 1, for about 250 tokens
    supervisor  1                               it has the slot
    process     [1]                             gives it back, or wants it no more

The supervisor takes the slots where all workers take theirs, so limits hold over all of them. When
a connection ends, however its process did, all that it had is given back.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, NamedTuple

import orjson
from pydantic import SecretStr

from inference.remote.hooks import Slots
from inference.remote.registered import Registered
from trainers.job.errors import TrainingError

STDIN = 0
LOST = "whoever watches the training hands out no slots of models behind URLs any more"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Channel:
    """The supervisor's end.

    standard_input  what to start the process with
    waiting         requests that wait for a slot: a process that waits has not stalled
    """

    models: Mapping[str, Registered]
    slots: Slots
    standard_input: int = subprocess.DEVNULL
    waiting: int = 0

    async def serve(self, door: socket.socket) -> None:
        """Serve every process that sends a socket through the door, until its other end is shut."""
        next_one = partial(socket.recv_fds, door, 1, 1, socket.MSG_CMSG_CLOEXEC)
        served: set[asyncio.Task[None]] = set()  # cancelled when the loop ends
        with door:
            while (message := await asyncio.to_thread(next_one))[0]:
                for end in message[1]:
                    task = asyncio.create_task(self._serve(socket.socket(fileno=end)))
                    served.add(task)
                    task.add_done_callback(served.discard)

    async def _serve(self, end: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=end)
        wanted: dict[int, asyncio.Task[None]] = {}
        try:
            writer.write(orjson.dumps([_open(one) for one in self.models.values()]) + b"\n")
            async with asyncio.TaskGroup() as group:
                async for line in reader:
                    match orjson.loads(line):
                        case [int(number), str(name), int(tokens)]:
                            slot = self._slot(writer, number, self.models[name], tokens)
                            wanted[number] = group.create_task(slot)
                        case [int(number)]:
                            wanted.pop(number).cancel()
                for task in wanted.values():
                    task.cancel()
        except* ConnectionError:  # killed with something unread
            pass
        except* Exception as error:
            log.exception("a training process is served no more", exc_info=error)
        finally:
            writer.close()

    async def _slot(
        self, writer: asyncio.StreamWriter, number: int, model: Registered, tokens: int
    ) -> None:
        """Take a slot, and hold it until this is cancelled."""
        async with AsyncExitStack() as stack:
            self.waiting += 1
            try:
                await stack.enter_async_context(self.slots.slot(model, tokens))
            finally:
                self.waiting -= 1
            writer.write(b"%d\n" % number)
            await asyncio.Event().wait()


@contextmanager
def channel(models: Collection[Registered], slots: Slots) -> Iterator[Channel]:
    """To a process that is started with its `standard_input` and has ended when this is left."""
    made = Channel({one.name: one for one in models}, slots)
    if not models:
        yield made
        return
    door, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thread = threading.Thread(target=lambda: asyncio.run(made.serve(door)), name="channel")
    with given:
        made.standard_input = given.fileno()
        thread.start()
        try:
            yield made
        finally:
            given.shutdown(socket.SHUT_RDWR)
            thread.join()


class Received(NamedTuple):
    """What the supervisor handed over: models by name, and slots to ask them."""

    models: Mapping[str, Registered]
    slots: Slots | None = None


def received(names: Iterable[str]) -> Received:
    """The process's end. Raises LookupError where one of the `names` was not handed over."""
    missing = set(names)
    if not missing:
        return Received({})
    models: dict[str, Registered] = {}
    with suppress(OSError):  # standard input is something else, or the supervisor has ended
        slots = HandedSlots(_connected())
        models = {one.name: one for one in slots.models()}
    missing -= models.keys()
    if missing:
        raise LookupError(f"nobody handed over {', '.join(sorted(missing))}")
    return Received(models, slots)


def _connected() -> socket.socket:
    """A connection of this process's own. Raises OSError."""
    with socket.socket(fileno=os.dup(STDIN)) as door:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(door, [b"\n"], [theirs.fileno()])
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STDIN)
    os.close(nothing)
    return ours


class HandedSlots:
    """Slots that the supervisor takes, see `inference.remote.hooks.Slots`. For all event loops of
    the process; raises TrainingError where the supervisor is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._numbers = itertools.count(1)
        self._wanted: dict[int, Future[None]] = {}
        self._lock = threading.Lock()  # around `_wanted`, `_listening` and what is sent
        self._listening = False

    def models(self) -> list[Registered]:
        """What is said first; nothing where the supervisor has ended. Call it once."""
        return [_closed(one) for one in orjson.loads(self._lines.readline() or b"[]")]

    @asynccontextmanager
    async def slot(self, model: Registered, tokens: int) -> AsyncIterator[None]:
        """Held while one request is out."""
        number, had = next(self._numbers), Future[None]()
        try:
            self._want(number, had, [number, model.name, tokens])
            await asyncio.wrap_future(had)
            yield
        finally:
            with self._lock, suppress(OSError):
                self._wanted.pop(number, None)
                self._say([number])

    def _want(self, number: int, had: Future[None], message: list[int | str]) -> None:
        with self._lock:
            self._wanted[number] = had
            if not self._listening:  # not earlier: records are rendered by forks before
                threading.Thread(target=self._listen, name="slots", daemon=True).start()
                self._listening = True
            try:
                self._say(message)
            except OSError:
                raise TrainingError("crashed", LOST) from None

    def _say(self, message: list[int | str]) -> None:
        self._connection.sendall(orjson.dumps(message) + b"\n")

    def _listen(self) -> None:
        with suppress(ConnectionError):
            for line in self._lines:
                with self._lock:
                    had = self._wanted.get(int(line))
                if had is not None and had.set_running_or_notify_cancel():
                    had.set_result(None)
        with self._lock:
            lost = [one for one in self._wanted.values() if not one.done()]
        for one in lost:
            if one.set_running_or_notify_cancel():
                one.set_exception(TrainingError("crashed", LOST))


def _open(model: Registered) -> dict[str, Any]:
    values = {field.name: getattr(model, field.name) for field in fields(model)}
    key = model.key.get_secret_value() if model.key is not None else None
    return values | {"key": key, "extra_body": dict(model.extra_body)}


def _closed(values: dict[str, Any]) -> Registered:
    key = values["key"]
    return Registered(**values | {"key": SecretStr(key) if key is not None else None})
