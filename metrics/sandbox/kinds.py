"""The fork's side of a test: confined, it runs a program in one of three ways.

source  the program's parts and the test in one module; the end is shown by a token
stdin   the program reads the test and prints; it may be another interpreter's
call    the program's function is called with the test's arguments, and returns

Runs inside the sandbox, before metrics.sandbox.launcher; the standard library only.
"""

import atexit
import contextlib
import io
import itertools
import os
import resource
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from metrics.sandbox.job import Job
from metrics.sandbox.marks import TESTS, Marks
from metrics.sandbox.units import Declared, let_unittest_go_on
from metrics.sandbox.watching import Kept

FAILED, EXITED, MEMORY = 1, 2, 3  # exit codes of the fork; 0 counts only with the token
_PROGRAM = "<program>"
_STDIN, _NAMES = "/tmp/.stdin", (b"/dev/stdin", b"/dev/fd/0")  # noqa: S108 - the sandbox's own
_SAID = 1500  # characters of an error's message


def confine(job: Job, kept: Kept) -> None:
    """Limit this process, and make it the program's user; standard error comes last."""
    null = os.open("/dev/null", os.O_RDWR)
    reads = job.kind == "stdin"
    os.dup2(kept.feed if reads else null, 0)
    os.dup2(kept.answer if reads else null, 1)
    for descriptor in (null, kept.feed):
        os.close(descriptor)
    if job.kind != "call":  # there it stays open, for what the function returns
        os.close(kept.answer)
    for which, limit in (
        (resource.RLIMIT_AS, job.memory or resource.RLIM_INFINITY),
        (resource.RLIMIT_CPU, job.seconds + 1),
        (resource.RLIMIT_NPROC, job.processes),
        (resource.RLIMIT_FSIZE, job.size),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(which, (limit, limit))
    if job.user:  # a user of its own, so that the limit of processes counts this sandbox alone
        os.setgroups([])
        os.setgid(job.user)
        os.setuid(job.user)
    os.dup2(kept.errors, 2)
    os.close(kept.errors)


def lay_out(sources: list[bytes], given: bytes) -> None:
    """Write what a program reads to where `/dev/stdin` and `/dev/fd/0` lead, for one that names
    them: without /proc no name leads to a pipe. It is read from its beginning each time."""
    if not any(name in source for source in sources for name in _NAMES):
        return
    with contextlib.suppress(OSError):  # no room for it, or an earlier test put its own there
        try:
            with open(_STDIN, "wb") as file:
                file.write(given)
        except OSError:
            os.unlink(_STDIN)


def run(job: Job, sources: list[bytes], ends: list[int]) -> NoReturn:
    """Run the program, and end this process."""
    if job.command:
        _interpreted(job.command, sources)
    elif job.kind == "source":
        _judged(job, sources, ends)
    elif job.kind == "stdin":
        _reading(sources, job.at_hand)
    else:
        _called(sources, ends.pop(), job.at_hand)


def _judged(job: Job, sources: list[bytes], ends: list[int]) -> NoReturn:
    # bound now: the program may replace what the modules hold
    leave, fail = os._exit, _failing()
    module = _main()
    if any(b"unittest" in source for source in sources):
        let_unittest_go_on(Declared(sources[job.own :]))
    try:
        _finish(  # all but `leave` and `module` is on the stack alone while the program runs
            leave,
            (os.getpid, os.getpid(), os.read, os.write),
            ends.pop(0),
            ends.pop(0),
            Marks(ends.pop(0), b"\n".join(sources[: job.own])),
            any(map(exec, _compiled(sources, job.own), itertools.repeat(module.__dict__))),
        )
    except BaseException as error:  # noqa: BLE001 - whatever it raises is its result
        fail(error)
    leave(FAILED)


def _main() -> types.ModuleType:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["program"]
    return module


def _failing() -> Callable[[BaseException], NoReturn]:
    """What tells of an error and ends the process, whatever the program has replaced."""
    leave, show, write, name_of = os._exit, traceback.print_exception, os.write, type
    suppress = contextlib.suppress

    def fail(error: BaseException) -> NoReturn:
        codes = {MemoryError: MEMORY, SystemExit: EXITED}
        code = next((code for kind, code in codes.items() if isinstance(error, kind)), FAILED)
        try:
            with suppress(UnicodeError):  # a message that standard error cannot take
                show(error)
            said = str(error)[:_SAID].replace("\0", "\\x00")  # a NUL stands before all of it
            write(2, f"\0{name_of(error).__name__}: {said}".encode("utf-8", "backslashreplace"))
        finally:
            leave(code)

    return fail


def _compiled(sources: list[bytes], own: int) -> Iterator[types.CodeType]:
    """The code of each part; all are compiled before any runs. Empties the list."""
    names = [_PROGRAM] * own + [TESTS] * (len(sources) - own)
    codes = [
        compile(source.decode("utf-8", "surrogatepass"), name, "exec", dont_inherit=True)
        for source, name in zip(sources, names, strict=True)
    ]
    sources.clear()
    return iter(codes)


def _finish(
    leave: Callable[[int], NoReturn],
    calls: tuple[Any, ...],
    token: int,
    done: int,
    marks: Marks,
    _ran: bool,
) -> NoReturn:
    getpid, own, read, write = calls
    if getpid() == own:  # a process that it forked may get here, too: it ends, and says nothing
        marks.look()
        write(done, read(token, 16))
    leave(0)


def _reading(sources: list[bytes], at_hand: dict[str, Any]) -> NoReturn:
    """Run a program that reads and prints, up to its exit code."""
    module, streams = _main(), []
    for name, descriptor, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        raw = io.FileIO(descriptor, mode, closefd=False)
        buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
        stream = io.TextIOWrapper(
            buffer, "utf-8", "surrogateescape", line_buffering=descriptor == 2
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        at_hand[name] = stream
        streams.append(stream)
    module.__dict__.update(at_hand, argv=sys.argv)
    leave, fail, end, flush = os._exit, _failing(), _ended, sys.stdout.flush
    try:
        try:
            any(map(exec, _compiled(sources, len(sources)), itertools.repeat(module.__dict__)))
        except SystemExit as error:
            leave(end(module, streams, error.code))
        leave(end(module, streams, None))
    except BaseException as error:  # noqa: BLE001 - whatever it raises is its result
        flush()
        fail(error)


def _ended(module: types.ModuleType, streams: list[Any], code: object) -> int:
    """What an interpreter does at its end, but for taking itself apart, which takes longer than
    most tests; its exit code."""
    vars(threading)["_shutdown"]()  # waits for threads
    atexit._run_exitfuncs()
    module.__dict__.clear()  # files that it left open are written
    for stream in (sys.stdout, sys.stderr, *streams):
        with contextlib.suppress(AttributeError, ValueError):  # it closed or replaced them
            stream.flush()
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    os.write(2, str(code)[:_SAID].encode("utf-8", "replace"))
    return 1


def _called(sources: list[bytes], answer: int, at_hand: dict[str, Any]) -> NoReturn:
    """Call the function of a program, and write what it returns as JSON."""
    import json

    leave, write, dumps, fail = os._exit, os.write, json.dumps, _failing()
    asked = json.loads(sources.pop())
    module = _main()
    module.__dict__.update(at_hand, argv=sys.argv)
    try:
        any(map(exec, _compiled(sources, len(sources)), itertools.repeat(module.__dict__)))
        solution = module.__dict__.get("Solution")
        owner = solution() if isinstance(solution, type) else module
        text = dumps(getattr(owner, asked["function"])(*asked["arguments"])).encode()
        while text:
            text = text[write(answer, text) :]
        leave(0)
    except BaseException as error:  # noqa: BLE001 - whatever it raises is its result
        fail(error)
    leave(FAILED)


def _interpreted(command: list[str], sources: list[bytes]) -> NoReturn:
    """Become another interpreter, which runs the program."""
    file, *words = command
    with open(file, "wb") as program:
        program.write(b"\n".join(sources))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execve(words[0], [*words, file], os.environ)  # noqa: S606 - an interpreter, no shell
