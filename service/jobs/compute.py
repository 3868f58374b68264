"""The compute process: one task at a time, models kept warm. `python -m service.jobs.compute`

One that only waits for others' servers works at several tasks at once, each in a thread of its own
(`tasks.AT_ONCE`).

Started by a worker, which it never outlives: the kernel kills it with the worker's main thread, and
the end of their channel ends it too. Whatever happens here (a crash in native code, a call that
never returns), the worker's heartbeats go on.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from inference.errors import Cancelled, ReportedError
from service import faults
from service.jobs import tasks
from service.jobs.context import Context, Released, Resources
from service.jobs.ipc import Advance, Answer, Call, Database, Message, Ready, Stop, encode, receive
from service.logs import bind, configure
from service.processes import give_back_memory
from service.settings import get_settings

ADVANCE_EVERY = 0.5  # seconds between two messages about progress
GIVE_BACK_EVERY = 5.0  # seconds between two times that freed memory goes back to the system

log = logging.getLogger(__name__)


class Compute:
    """Reads messages on a thread of its own; works on the main one, or on one for each task.

    at_once  tasks that may be called before one is answered
    """

    def __init__(
        self,
        channel: socket.socket,
        handlers: Mapping[str, str],
        resources: Resources,
        at_once: int = 1,
    ) -> None:
        self._channel = channel
        self._handlers = handlers
        self._resources = resources
        self._at_once = at_once
        self._sending = threading.Lock()
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._cancelled: set[int] = set()  # tasks asked to stop
        self._released: set[int] = set()  # tasks asked to save their state first
        self._advanced: dict[int, float] = {}  # when the worker was last told of a task's progress
        self._gave_back = time.monotonic()

    def serve(self) -> None:
        """Run calls for as long as the worker lives."""
        threading.Thread(target=self._listen, name="channel", daemon=True).start()
        self._send(Ready())
        while True:
            call = self._calls.get()
            if self._at_once == 1:
                self._work(call)
            else:
                threading.Thread(target=self._work, args=(call,), daemon=True).start()

    def _work(self, call: Call) -> None:
        answer = replace(self._run(call), task=call.task)
        self._cancelled.discard(call.task)
        self._released.discard(call.task)
        self._advanced.pop(call.task, None)
        self._send(answer)  # the task may be called again from here on
        if time.monotonic() - self._gave_back >= GIVE_BACK_EVERY:
            self._gave_back = time.monotonic()
            give_back_memory()

    def _send(self, message: Message) -> None:
        with self._sending, suppress(ConnectionError):  # the reader sees the end, and ends us
            self._channel.sendall(encode(message))

    def _listen(self) -> None:
        while (message := receive(self._channel)) is not None:
            if isinstance(message, Call):
                self._calls.put(message)
            elif isinstance(message, Stop):
                (self._released if message.save else self._cancelled).add(message.task)
        end_group()

    def _run(self, call: Call) -> Answer:
        context = Context(
            self._resources,
            call.task,
            call.attempt,
            lambda: call.task in self._cancelled,
            lambda: call.task in self._released,
            partial(self._advance, call.task),
        )

        def cancelled() -> bool:
            context.advance()  # whoever waits for the device does not stall
            return context.cancelled()

        ids = {name: str(value) for name, value in call.ids.items()}
        with bind(queued=str(call.task), task=call.name, **ids):
            try:
                handler = tasks.handler(call.name, self._handlers)
                with self._resources.turn.working(cancelled):
                    handler(context, **call.ids)
            except Cancelled:
                return Answer("cancelled")
            except Released:
                return Answer("released")
            except (Exception, SystemExit) as error:  # the worker decides whether to try again
                if faults.is_outside(error):
                    log.warning("attempt %d was disturbed: %s", call.attempt, error)
                    return Answer("disturbed", type(error).__name__, str(error))
                log.exception("attempt %d failed", call.attempt)
                permanent = isinstance(error, ReportedError)
                return Answer("failed", type(error).__name__, str(error), permanent)
        return Answer("done")

    def _advance(self, task: int) -> None:
        now = time.monotonic()
        if now - self._advanced.get(task, 0.0) >= ADVANCE_EVERY:
            self._advanced[task] = now
            self._send(Advance(task))


def end_group() -> None:
    """End this process and what it started (sandboxes), at once."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the worker at the other end of `--channel`."""
    parser = argparse.ArgumentParser(prog="python -m service.jobs.compute")
    parser.add_argument("--channel", type=int, required=True, help="number of the open socket")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--at-once", type=int, default=1, help="tasks that it works at")
    parser.add_argument("--handlers", default="service.jobs.tasks:HANDLERS")
    options = parser.parse_args(argv)

    os.set_inheritable(options.channel, False)  # not for what handlers start
    # systemd sends it to every process of a service: when to end is the worker's to say. What is
    # started from here inherits it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    faulthandler.enable()
    with suppress(OSError):  # when memory runs out, this process goes first, not the database
        Path("/proc/self/oom_score_adj").write_text("500")
    # A thread that waits for its fellows in a loop takes the core from whoever else computes: with
    # OpenMP's usual 300000 turns, training and scoring side by side took more than twice as long.
    # One that sleeps at once makes training alone a fifth slower. Read when OpenMP is loaded, which
    # is later; a trainer inherits it.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # about a tenth of a millisecond
    # Code made for each size of a tensor: 1,024 of them take 50 MB, and new texts have new sizes
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars of model libraries are no lines of JSON
    channel = socket.socket(fileno=options.channel)
    database = receive(channel)
    if not isinstance(database, Database):  # the worker has ended
        return
    settings = get_settings().model_copy(update={"database_url": SecretStr(database.url)})
    configure(settings)
    resources = tasks.resources(settings, options.device, options.at_once)
    Compute(channel, tasks.table(options.handlers), resources, options.at_once).serve()


if __name__ == "__main__":
    main()
