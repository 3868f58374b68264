"""A worker's handle of its compute process: start, call, stop, and notice when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from service.jobs.ipc import encode, read
from service.processes import dies_with_parent


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended; `message` is in words, and for people only when the error is permanent."""

    outcome: Literal["done", "cancelled", "released", "failed", "killed"]
    kind: str = ""
    message: str = ""
    permanent: bool = False


@dataclass(slots=True)
class Child:
    """One compute process, started again after each crash. Use it on the main thread only."""

    device: str
    handlers: str
    process: asyncio.subprocess.Process | None = None
    _writer: asyncio.StreamWriter | None = None
    _listener: asyncio.Task[None] | None = None
    _answer: asyncio.Future[Answer] | None = None
    _job: int = 0  # the last one called
    _dying: bool = False

    async def start(self) -> None:
        """Starts a process unless one lives."""
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
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a group of its own, with the sandboxes it starts
                preexec_fn=dies_with_parent(),
            )
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._listener = asyncio.create_task(self._listen(self.process, reader), name="child")

    async def call(self, task: str, ids: Mapping[str, Any], job: int, attempt: int) -> Answer:
        """Runs a task to its end. One call at a time; a cancelled caller leaves it running."""
        await self.start()
        self._answer = asyncio.get_running_loop().create_future()
        self._job = job
        self._send({"type": "run", "task": task, "ids": ids, "job": job, "attempt": attempt})
        return await self._answer

    def cancel(self, job: int) -> None:
        """Asks the running call to stop between two batches."""
        self._send({"type": "cancel", "job": job})

    def release(self) -> None:
        """Asks the running call to save what it has and stop, for another to go on."""
        self._send({"type": "release", "job": self._job})

    def kill(self) -> None:
        """Ends the process and all it started; the running call is answered "killed"."""
        if self.process is not None and self.process.returncode is None:
            self._dying = True
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Ends the process and waits for its end."""
        self.kill()
        if self._listener is not None:
            await self._listener

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(encode(message))  # a dead reader shows as the end of the stream

    async def _listen(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader
    ) -> None:
        while (message := await read(reader)) is not None:
            outcome = message.pop("type")
            message.pop("job")
            self._resolve(Answer(outcome, **message))
        self.kill()  # it may have closed the channel and live on
        status = await process.wait()
        if self._writer is not None:
            self._writer.close()
        self._resolve(Answer("killed", message=_ending(status)))

    def _resolve(self, answer: Answer) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)


def _ending(status: int) -> str:
    if status == -signal.SIGKILL:
        return "the compute process was killed (signal 9, perhaps out of memory)"
    if status < 0:
        return f"the compute process crashed (signal {-status}, {signal.Signals(-status).name})"
    return f"the compute process ended with status {status}"
