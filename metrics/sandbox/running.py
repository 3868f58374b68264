"""Run untrusted Python in a sandbox.

A program passes when it runs to its last line and exits with 0. What is *not* promised: a
candidate shares its interpreter with the tests that judge it. Code written to deceive can return
objects equal to everything, patch what the tests call, or search its open descriptors for the
token that marks the end; this is so in every harness that appends tests to the candidate. It can
forge its own result, and nothing else: not another program's, and not a way out. Against the
kernel itself there is no second wall (no seccomp filter).
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import IO, cast

from inference.errors import Unavailable
from metrics.sandbox.bubblewrap import Route, command, routes
from metrics.sandbox.limits import Ending, Limits, Outcome

_TAIL = 4096  # bytes of standard error that are kept
_START_S = 30.0  # for the sandbox to start, on a loaded machine
_GRACE_S = 2.0  # for the watcher to speak after the program's time is up
_LEAVE_S = 2.0  # for the kernel to end the namespace
_TRIAL = """
import os
for _ in range(16):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        os._exit(0)
else:
    raise RuntimeError("the limit on processes does not hold: root is exempt from it")
"""


def run(program: str, limits: Limits | None = None) -> Outcome:
    """Run one program; returns when nothing of it is left. Raises Unavailable without a sandbox."""
    return _attempt(_route(), program, limits or Limits())


def run_many(programs: Sequence[str], limits: Limits | None = None) -> list[Outcome]:
    """Run programs side by side, one for each core, and return how they ended, in order."""
    if not programs:
        return []
    route, limits = _route(), limits or Limits()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lambda program: _attempt(route, program, limits), programs))


@cache
def _route() -> Route:
    """The first way in that holds a program; found once. Raises Unavailable with the reasons."""
    reasons = []
    for route in routes():
        try:
            outcome = _attempt(route, _TRIAL, Limits(processes=1))
        except Unavailable as error:
            reasons.append(error.message)
        else:
            if outcome.passed:
                return route
            reasons.append(outcome.stderr.strip().rpartition("\n")[2] or outcome.ending.name)
    raise Unavailable(
        f"bubblewrap is installed but may not make a sandbox here ({'; '.join(reasons)}); in a "
        "container it needs user namespaces or CAP_SYS_ADMIN, and a seccomp profile that lets it "
        "mount"
    )


def _attempt(route: Route, program: str, limits: Limits) -> Outcome:
    source = os.memfd_create("program")
    listen, report = os.pipe()
    try:
        os.write(source, program.encode("utf-8", "surrogatepass"))
        os.lseek(source, 0, os.SEEK_SET)
        process = subprocess.Popen(
            command(route, limits, report),
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(report,),
            start_new_session=True,
            env={},
        )
        os.close(report)
        report = -1
        with cast(IO[bytes], process.stderr) as errors:  # a pipe was asked for
            try:
                said, tail = _listen(listen, errors.fileno(), limits.timeout_s)
            finally:
                _end(process)
    finally:
        for descriptor in (source, listen, report):
            if descriptor >= 0:
                os.close(descriptor)
    return _outcome(said, tail)


def _listen(report: int, errors: int, seconds: float) -> tuple[bytes, bytes]:
    """What the watcher said, and the end of standard error."""
    deadline = time.monotonic() + _START_S
    said = tail = b""
    with selectors.DefaultSelector() as selector:
        for descriptor in (report, errors):
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        while said.count(b"\n") < 2 and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fd)
                    if key.fd == report:  # nobody is left who could say more
                        return said, (tail + _rest(errors))[-_TAIL:]
                elif key.fd == report:
                    if not said:
                        deadline = time.monotonic() + seconds + _GRACE_S
                    said += chunk
                else:
                    tail = (tail + chunk)[-_TAIL:]
    return said, (tail + _rest(errors))[-_TAIL:]


def _rest(errors: int) -> bytes:
    with suppress(BlockingIOError):
        return os.read(errors, 1 << 16)
    return b""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Bubblewrap leaves when its init has, and that is when the kernel has emptied the namespace.

    One that does not leave (its watcher was stopped) is killed; its init dies with it.
    """
    try:
        process.wait(_LEAVE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _outcome(said: bytes, tail: bytes) -> Outcome:
    stderr = tail.decode("utf-8", "replace")
    lines = said.decode().split("\n")
    if lines[0] != "started":
        raise Unavailable(f"the sandbox did not start: {stderr.strip()[-400:] or 'no message'}")
    if lines[1:] == [""]:  # the watcher was killed, or stopped past the deadline
        return Outcome(Ending.KILLED, stderr)
    return Outcome(Ending[lines[1].upper()], stderr)
