"""Jobs for the engine's tests: what a compute process is made to do, noted in the table `runs`."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import text

from inference.errors import Cancelled, InputError
from service.jobs.context import Context

SCHEMA = """
CREATE TABLE runs (
    number bigserial PRIMARY KEY, what text, name text, pid int, attempt int, note text,
    at timestamptz DEFAULT clock_timestamp())
"""


def note(context: Context, what: str, name: str, text_: str = "") -> None:
    with context.engine.begin() as db:
        db.execute(
            text(
                "INSERT INTO runs (what, name, pid, attempt, note)"
                " VALUES (:what, :name, :pid, :attempt, :note)"
            ),
            {
                "what": what,
                "name": name,
                "pid": os.getpid(),
                "attempt": context.attempt,
                "note": text_,
            },
        )


def quick(context: Context, name: str) -> None:
    note(context, "done", name, f"torch: {'torch' in sys.modules}")


def surroundings(context: Context, name: str) -> None:
    """What code in this process, and a program that it starts, can read of the environment."""
    started = subprocess.run(["env", "-0"], capture_output=True, check=True).stdout
    seen = Path("/proc/self/environ").read_bytes() + started
    note(context, "done", name, str(b"postgresql://" in seen))


def slow(context: Context, name: str, seconds: float = 3.0) -> None:
    """Runs to the end unless it is asked to stop."""
    note(context, "begun", name)
    for _ in range(int(seconds * 20)):
        time.sleep(0.05)
        if context.cancelled():
            note(context, "stopped", name)
            raise Cancelled("asked to")
    note(context, "done", name)


def long_once(context: Context, name: str) -> None:
    """Takes a minute at the first attempt, no time at the next."""
    note(context, "begun", name)
    if context.attempt == 1:
        time.sleep(60)
    note(context, "done", name)


def restless(context: Context, name: str) -> None:
    """Takes a minute unless it has begun before; the attempt's number does not tell."""
    with context.engine.connect() as db:
        before = db.scalar(text("SELECT count(*) FROM runs WHERE name = :name"), {"name": name})
    note(context, "begun", name)
    if not before:
        time.sleep(60)
    note(context, "done", name, f"attempt {context.attempt}")


def begun(context: Context, name: str) -> int:
    """How often the task called `name` has begun, now included."""
    note(context, "begun", name)
    with context.engine.connect() as db:
        query = text("SELECT count(*) FROM runs WHERE name = :name AND what = 'begun'")
        return int(db.scalar(query, {"name": name}) or 0)


def fifth(context: Context, name: str) -> None:
    """Takes a minute until the fifth time."""
    if begun(context, name) < 5:
        time.sleep(60)
    note(context, "done", name, f"attempt {context.attempt}")


def cramped(context: Context, name: str) -> None:
    """No space is left on its device until the fifth time; a metric would say so in its own way."""
    if begun(context, name) < 5:
        try:
            Path("/dev/full").write_text("x")
        except OSError as error:
            raise InputError("cannot load the model", "model") from error
    note(context, "done", name, f"attempt {context.attempt}")


def cut_off(context: Context, name: str) -> None:
    """Its connection is closed by the server until the fifth time."""
    times = begun(context, name)
    with context.engine.begin() as db:
        if times < 5:
            db.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    note(context, "done", name, f"attempt {context.attempt}")


def stuck(context: Context, name: str) -> None:
    """Gets nowhere."""
    note(context, "begun", name)
    time.sleep(120)


def steady(context: Context, name: str) -> None:
    """Takes six seconds, and is never still for long."""
    note(context, "begun", name)
    for _ in range(30):
        time.sleep(0.2)
        context.advance()
    note(context, "done", name)


def deaf(context: Context, name: str) -> None:
    """One long call in C that holds the interpreter's lock."""
    note(context, "begun", name)
    ctypes.PyDLL(None).sleep(10)
    note(context, "done", name)


def deadly(context: Context, name: str) -> None:
    note(context, "begun", name)
    os.kill(os.getpid(), signal.SIGKILL)


def segfault(context: Context, name: str) -> None:
    note(context, "begun", name)
    ctypes.string_at(0)


def wrong(context: Context, name: str) -> None:
    """The caller's mistake: never tried again."""
    note(context, "begun", name)
    raise InputError("k is larger than n", "params.k")


def broken(context: Context, name: str) -> None:
    """Ours."""
    note(context, "begun", name)
    raise ValueError("secret: /home/somebody")


def parent(context: Context, name: str) -> None:
    """Starts a process of its own, as a sandbox would be."""
    sleeper = subprocess.Popen(["sleep", "120"])
    note(context, "begun", name, str(sleeper.pid))
    sleeper.wait()


def hook(context: Context, name: str, reason: str = "", **ids: object) -> None:
    note(context, "hook", name, reason)


HANDLERS = {
    f"test.{function.__name__}": f"tests.service.jobs.handlers:{function.__name__}"
    for function in (
        quick,
        surroundings,
        slow,
        long_once,
        restless,
        fifth,
        cramped,
        cut_off,
        stuck,
        steady,
        deaf,
        deadly,
        segfault,
        wrong,
        broken,
        parent,
    )
}
HANDLERS |= {f"{task}.failed": "tests.service.jobs.handlers:hook" for task in list(HANDLERS)}
HANDLERS |= {
    "test.slow.cancelled": "tests.service.jobs.handlers:hook",
    "test.parent.cancelled": "tests.service.jobs.handlers:hook",
}
