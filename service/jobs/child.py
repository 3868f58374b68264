"""A worker's handle of its compute process: start, call, stop, and notice when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field

from service.jobs.ipc import Advance, Answer, Call, Database, Message, Ready, Stop, encode, read
from service.processes import dies_with_parent

URL = "ASSAY_DATABASE_URL"  # kept out of the environment that metrics, also from folders, run in


@dataclass(slots=True)
class Running:
    """A call that is not answered yet."""

    answer: asyncio.Future[Answer]
    advanced: float  # when it last made progress, by the monotonic clock


@dataclass(slots=True)
class Child:
    """One compute process, started again after each crash. Use it on the main thread only.

    at_once  tasks that it works at, side by side
    """

    device: str
    handlers: str
    url: str = field(default="", repr=False)  # the database's
    at_once: int = 1
    process: asyncio.subprocess.Process | None = None
    _writer: asyncio.StreamWriter | None = None
    _listener: asyncio.Task[None] | None = None
    _running: dict[int, Running] = field(default_factory=dict)  # by task
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _dying: bool = False
    _blamed: set[int] = field(default_factory=set)  # tasks that the process was killed for

    async def start(self) -> None:
        """Start a process unless one lives."""
        async with self._starting:
            if self._listener is not None:
                if not self._dying and not self._listener.done():
                    return
                await self._listener
            self._dying, self._blamed = False, set()
            await self._start()

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "service.jobs.compute",
                f"--channel={theirs.fileno()}",
                f"--device={self.device}",
                f"--at-once={self.at_once}",
                f"--handlers={self.handlers}",
                stdin=asyncio.subprocess.DEVNULL,
                env={name: one for name, one in os.environ.items() if name != URL},
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a group of its own, with the sandboxes it starts
                preexec_fn=dies_with_parent(),
            )
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._send(Database(self.url))
        self._listener = asyncio.create_task(self._listen(self.process, reader), name="child")

    async def call(self, call: Call) -> Answer:
        """Run a task to its end. At most `at_once` at a time; a cancelled caller leaves it
        running."""
        await self.start()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._running[call.task] = Running(answer, time.monotonic())
        self._send(call)
        return await answer

    def advanced(self, task: int) -> float:
        """When the task's call last made progress, by the monotonic clock; 0: it is not called."""
        running = self._running.get(task)
        return running.advanced if running is not None else 0.0

    def cancel(self, task: int) -> None:
        """Ask the task's call to stop between two batches."""
        self._send(Stop(task, save=False))

    def release(self) -> None:
        """Ask all running calls to save their state and stop, for another worker to go on."""
        for task in self._running:
            self._send(Stop(task, save=True))

    def kill(self, task: int | None = None) -> None:
        """End the process and all it started; the running calls are answered "killed". Where it is
        killed for one task, those of others are "disturbed"."""
        if self.process is not None and self.process.returncode is None:
            self._dying = True
            self._blamed |= {task} if task is not None else set()
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End the process and wait for its end."""
        self.kill()
        if self._listener is not None:
            await self._listener

    def _send(self, message: Message) -> None:
        if self._writer is not None:
            self._writer.write(encode(message))  # a dead reader shows as the end of the stream

    async def _listen(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader
    ) -> None:
        ready = False
        while isinstance(message := await read(reader), Answer | Ready | Advance):
            if isinstance(message, Answer):
                self._resolve(message.task, message)
            elif isinstance(message, Advance) and message.task in self._running:
                self._running[message.task].advanced = time.monotonic()
            ready = True
        self.kill()  # it may have closed the channel and live on
        status = await process.wait()
        if self._writer is not None:
            self._writer.close()
        ending = _ending(status)
        for task in list(self._running):
            if not ready:  # the task cannot be why: it was not read yet
                answer = Answer("disturbed", message=f"{ending} before it was ready")
            elif self._blamed and task not in self._blamed:
                answer = Answer("disturbed", message=f"{ending} for another task's sake")
            else:
                answer = Answer("killed", message=ending)
            self._resolve(task, answer)

    def _resolve(self, task: int, answer: Answer) -> None:
        running = self._running.pop(task, None)
        if running is not None and not running.answer.done():
            running.answer.set_result(answer)


def _ending(status: int) -> str:
    if status == -signal.SIGKILL:
        return "the compute process was killed (signal 9, perhaps out of memory)"
    if status < 0:
        return f"the compute process crashed (signal {-status}, {signal.Signals(-status).name})"
    return f"the compute process ended with status {status}"
