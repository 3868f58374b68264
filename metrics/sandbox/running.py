"""Run untrusted programs in a sandbox.

A program passes a test of source when it runs to its last line and exits with 0, one of an answer
when that is the expected one, which is compared here and not in the sandbox. What is *not*
promised: a candidate shares its interpreter with tests of source. Code written to deceive can
return objects equal to everything, patch what the tests call, or search its open descriptors for
the token that marks the end; this is so in every harness that appends tests to the candidate. It
can forge its own result, and nothing else: not another program's, and not a way out. A filter of
system calls keeps it from the parts of the kernel that most ways out began in; it is no virtual
machine.
"""

from __future__ import annotations

import binascii
import os
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from typing import IO, cast

from inference.errors import Unavailable
from inference.sentences import Sentence
from metrics.sandbox import cgroup, memory, seccomp
from metrics.sandbox.answers import difference, right
from metrics.sandbox.bubblewrap import Route, command, routes
from metrics.sandbox.languages import LANGUAGES
from metrics.sandbox.limits import Ending, Limits, Outcome, Program
from metrics.sandbox.report import Report

_START_S = 30.0  # for the sandbox to start, on a loaded machine
_STOPPED = {Ending.TIMEOUT, Ending.LONG}  # after which no test is run
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


def run(program: str | tuple[str, ...], limits: Limits | None = None) -> Outcome:
    """Run one program, whose last part is the test where it has several; returns when nothing of
    it is left. Raises Unavailable without a sandbox."""
    return run_many([program], limits)[0]


def run_many(
    programs: Sequence[str | tuple[str, ...]], limits: Limits | None = None
) -> list[Outcome]:
    """As `run`, side by side."""
    parts = [(program,) if isinstance(program, str) else program for program in programs]
    one_test = [Program(one[:-1], one[-1:]) if len(one) > 1 else Program(one) for one in parts]
    return [outcomes[0] for outcomes in run_tests(one_test, limits)]


def run_tests(programs: Sequence[Program], limits: Limits | None = None) -> list[list[Outcome]]:
    """Run programs side by side, one for each core; how each of their runs ended, in order.

    A program's tests run one after the other in one sandbox, each in a process of its own; what a
    test leaves behind is killed, but for its files in /tmp. After one that had to be stopped no
    more are run. A program with a test that ended by the machine's part (out of time, out of
    memory, killed) runs once more, alone; an endless loop that had its processor all the time
    would only loop again. Raises Unavailable without a sandbox, or without an interpreter.
    """
    if not programs:
        return []
    route, limits = _route(), limits or Limits()
    for language in {program.language for program in programs} - {"python"}:
        _try(route, language)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outcomes = list(pool.map(lambda program: _attempt(route, program, limits), programs))
    return [
        _attempt(route, program, limits)
        if any(one.ending.of_the_machine and not one.worked for one in own)
        else own
        for program, own in zip(programs, outcomes, strict=True)
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
            (outcome,) = _attempt(route, Program((_TRIAL,)), Limits(processes=1))
        except Unavailable as error:
            reasons.append(error.message)
        else:
            if outcome.passed:
                return route
            reasons.append(outcome.stderr.strip().rpartition("\n")[2] or outcome.ending.name)
    raise Unavailable(
        Sentence(
            "bubblewrap is installed but may not make a sandbox here ({reasons}); in a container "
            "it needs user namespaces or CAP_SYS_ADMIN, and a seccomp profile that lets it mount",
            reasons="; ".join(reasons),
        )
    )


@cache
def _try(route: Route, language: str) -> None:
    """Raises Unavailable where a language's interpreter is missing or does not run inside."""
    said = "Привет 42"
    hello = Program((LANGUAGES[language].hello,), (f"{said}\n",), (), (said,), "stdin", language)
    (outcome,) = _attempt(route, hello, Limits(memory_mb=2048, processes=64, timeout_s=30))
    if not outcome.passed:
        reason = (outcome.stderr or outcome.difference).strip()[-400:] or outcome.ending.name
        refused = "programs in {language} do not run in the sandbox here: {reason}"
        raise Unavailable(Sentence(refused, language=language, reason=reason))


def _attempt(route: Route, program: Program, limits: Limits) -> list[Outcome]:
    """How each run ended; those that were not begun are NOT_RUN."""
    with cgroup.group(limits) as group:
        outcomes = _within(group, route, program, limits)
        if group.exhausted:
            outcomes[-1] = replace(outcomes[-1], ending=Ending.MEMORY)
    return outcomes + [Outcome(Ending.NOT_RUN)] * (program.runs - len(outcomes))


def _within(group: cgroup.Group, route: Route, program: Program, limits: Limits) -> list[Outcome]:
    parts = (*program.parts, *program.shared, *program.tests)
    sources = [part.encode("utf-8", "surrogatepass") for part in parts]
    source = _in_memory(b"".join(sources))
    rules = _in_memory(seccomp.rules())
    listen, report = os.pipe()
    try:
        sizes = [*map(len, sources)]
        process = subprocess.Popen(
            [*group.enter, *command(route, limits, program, sizes, report, rules)],
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
                    return _outcomes(said, program, limits.timeout_s)
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


def _outcomes(report: Report, program: Program, seconds: float) -> list[Outcome]:
    if report.line(_START_S) is None:
        reason = report.errors().strip()[-400:] or "no message"
        raise Unavailable(Sentence("the sandbox did not start: {reason}", reason=reason))
    outcomes: list[Outcome] = []
    while len(outcomes) < program.runs:
        # between two tests the watcher clears up and forks, on a loaded machine
        line = report.line(seconds + (_START_S if outcomes else 0.0))
        if line is None:
            if outcomes and outcomes[-1].ending in _STOPPED:
                break
            # the watcher was killed, or stopped past the deadline
            outcomes.append(Outcome(Ending.MEMORY if report.exceeded else Ending.KILLED))
            break
        outcomes.append(_outcome(line, program, len(outcomes)))
    return outcomes


def _outcome(line: bytes, program: Program, number: int) -> Outcome:
    said, *texts = line.split(b" ")
    answer, errors = (binascii.a2b_base64(text[1:]) for text in texts[:2])
    ending = Ending.TIMEOUT if said == b"worked" else Ending[said.decode().upper()]
    stderr, differs = errors.decode("utf-8", "replace"), ""
    if ending is Ending.FAILED and "\0MemoryError" in stderr:  # the exit code is the program's own
        ending = Ending.MEMORY
    if ending is Ending.PASSED and program.expected:
        expected = program.expected[number]
        if not right(program.kind, answer, expected):
            ending, differs = Ending.WRONG, difference(program.kind, answer, expected)
    marks = tuple(text.decode() for text in texts[2:])
    return Outcome(ending, stderr, said == b"worked", marks, differs)
