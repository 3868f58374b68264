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
class Child:
    """One compute process, started again after each crash. Use it on the main thread only."""

    device: str
    handlers: str
    url: str = field(default="", repr=False)  # the database's
    process: asyncio.subprocess.Process | None = None
    advanced: float = 0.0  # when it last made progress, by the monotonic clock
    _writer: asyncio.StreamWriter | None = None
    _listener: asyncio.Task[None] | None = None
    _answer: asyncio.Future[Answer] | None = None
    _task: int = 0  # the last one called
    _dying: bool = False

    async def start(self) -> None:
        """Start a process unless one lives."""
        if self._listener is not None:
            if not self._dying and not self._listener.done():
                return
            await self._listener
        self._dying = False
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "service.jobs.compute",
                f"--channel={theirs.fileno()}",
                f"--device={self.device}",
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
        """Run a task to its end. One call at a time; a cancelled caller leaves it running."""
        await self.start()
        self._answer = asyncio.get_running_loop().create_future()
        self._task = call.task
        self.advanced = time.monotonic()
        self._send(call)
        return await self._answer

    def cancel(self) -> None:
        """Ask the running call to stop between two batches."""
        self._send(Stop(self._task, save=False))

    def release(self) -> None:
        """Ask the running call to save its state and stop, for another worker to go on."""
        self._send(Stop(self._task, save=True))

    def kill(self) -> None:
        """End the process and all it started; the running call is answered "killed"."""
        if self.process is not None and self.process.returncode is None:
            self._dying = True
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
            self.advanced = time.monotonic()
            if isinstance(message, Answer):
                self._resolve(message)
            ready = True
        self.kill()  # it may have closed the channel and live on
        status = await process.wait()
        if self._writer is not None:
            self._writer.close()
        ending = _ending(status)
        if ready:
            self._resolve(Answer("killed", message=ending))
        else:  # the task cannot be why: it was not read yet
            self._resolve(Answer("disturbed", message=f"{ending} before it was ready"))

    def _resolve(self, answer: Answer) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)


def _ending(status: int) -> str:
    if status == -signal.SIGKILL:
        return "the compute process was killed (signal 9, perhaps out of memory)"
    if status < 0:
        return f"the compute process crashed (signal {-status}, {signal.Signals(-status).name})"
    return f"the compute process ended with status {status}"
