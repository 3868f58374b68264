"""Run untrusted Python in a sandbox.

A program passes when it runs to its last line and exits with 0. What is *not* promised: a
candidate shares its interpreter with the tests that judge it. Code written to deceive can return
objects equal to everything, patch what the tests call, or search its open descriptors for the
token that marks the end; this is so in every harness that appends tests to the candidate. It can
forge its own result, and nothing else: not another program's, and not a way out. A filter of
system calls keeps it from the parts of the kernel that most ways out began in; it is no virtual
machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from typing import IO, cast

from inference.errors import Unavailable
from metrics.sandbox import cgroup, memory, seccomp
from metrics.sandbox.bubblewrap import Route, command, routes
from metrics.sandbox.limits import Ending, Limits, Outcome
from metrics.sandbox.report import Report

_START_S = 30.0  # for the sandbox to start, on a loaded machine
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
    return run_many([program], limits)[0]


def run_many(programs: Sequence[str], limits: Limits | None = None) -> list[Outcome]:
    """Run programs side by side, one for each core, and return how they ended, in order.

    What ended by the machine's part (out of time, out of memory, killed) runs once more, alone;
    an endless loop that had its processor all the time would only loop again.
    """
    if not programs:
        return []
    route, limits = _route(), limits or Limits()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outcomes = list(pool.map(lambda program: _attempt(route, program, limits), programs))
    return [
        _attempt(route, program, limits)
        if outcome.ending.of_the_machine and not outcome.worked
        else outcome
        for program, outcome in zip(programs, outcomes, strict=True)
    ]


def describe() -> dict[str, str]:
    """How programs are held on this machine, in words. Raises Unavailable where they cannot be."""
    route, (parent, told) = _route(), cgroup.home()
    tree = "looked at from outside" if memory.known() else "not bounded, only each process is"
    return {
        "user": "one of its own for each program" if route.own_user else "nobody, in a namespace",
        "memory": f"{tree}; {'no control group: ' if parent is None else 'control group '}{told}",
        "system calls": f"filtered for {os.uname().machine}",
    }


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
    with cgroup.group(limits) as group:
        outcome = _within(group, route, program, limits)
        return replace(outcome, ending=Ending.MEMORY) if group.exhausted else outcome


def _within(group: cgroup.Group, route: Route, program: str, limits: Limits) -> Outcome:
    source = _in_memory(program.encode("utf-8", "surrogatepass"))
    rules = _in_memory(seccomp.rules())
    listen, report = os.pipe()
    try:
        process = subprocess.Popen(
            [*group.enter, *command(route, limits, report, rules)],
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(report, rules),
            start_new_session=True,
            env={},
        )
        os.close(report)
        report = -1
        with cast(IO[bytes], process.stderr) as errors:  # a pipe was asked for
            exceeds = partial(memory.exceeds, process.pid, limits.memory_mb << 20)
            with Report(listen, errors.fileno(), exceeds) as said:
                try:
                    return _outcome(said, limits.timeout_s)
                finally:
                    _end(process, 0.0 if said.exceeded else _LEAVE_S)
    finally:
        for descriptor in (source, rules, listen, report):
            if descriptor >= 0:
                os.close(descriptor)


def _in_memory(content: bytes) -> int:
    """A descriptor that the content is read from; no file has it."""
    descriptor = os.memfd_create("sandbox")
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Bubblewrap leaves when the watcher has, and then the kernel has emptied the namespace.

    One that does not leave in time is killed; the watcher and all below it die with it.
    """
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _outcome(report: Report, seconds: float) -> Outcome:
    if not report.heard(1, _START_S):
        reason = report.errors().strip()[-400:] or "no message"
        raise Unavailable(f"the sandbox did not start: {reason}")
    ended = report.heard(2, seconds)
    if report.exceeded:
        return Outcome(Ending.MEMORY, report.errors())
    if not ended:  # the watcher was killed, or stopped past the deadline
        return Outcome(Ending.KILLED, report.errors())
    said = report.said.decode().split("\n")[1]
    if said == "worked":
        return Outcome(Ending.TIMEOUT, report.errors(), worked=True)
    return Outcome(Ending[said.upper()], report.errors())
