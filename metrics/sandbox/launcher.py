"""Runs inside the sandbox, as `python -c`: watches one program and says how it ended.

It imports only the standard library: inside, the source of metrics.sandbox.marks stands before it
in place of its one other import. The watcher forks; the fork limits itself, drops its rights and
runs the program; the watcher alone holds the report's descriptor. The watcher is process 1 of its
PID namespace: the kernel keeps from it every signal that the program could send, of the same user
or not, and kills whatever the program left behind when the watcher exits.

That the program came to its end is shown by a token: 16 random bytes that the watcher makes after
the fork and puts into a pipe, which the fork empties only once the program has returned, to write
them into another. `sys.exit(0)`, `os._exit(0)` and anything printed leave the token where it is.
What the program could use to do so itself is kept from it: numbers of descriptors, the tests' code
and the functions that end the process are on the interpreter's stack, in no variable of any frame;
and each of the two pipes is one of several that look alike. Code can still find a way: it shares
the interpreter. So the watcher is told of what honest programs have no use for (`Marks`).

Arguments: descriptor of the report, seconds, bytes of memory, processes, bytes a file, user id
(0: stay who we are), and the bytes of each part. The parts are read from standard input; each is
compiled by itself, and all run in one module, one after the other: the last one is the tests. The
report's lines: `started` once the fork is confined and before its program runs, then one of
`passed failed exited timeout worked memory killed` and the marks, separated by spaces, where
`worked` is a timeout of a program that had a processor to itself nearly throughout. A fork that
cannot be confined runs nothing: the report stays empty, and standard error has the reason.
"""

import contextlib
import itertools
import os
import resource
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from metrics.sandbox.marks import END, KNOWN, TESTS, Marks

FAILED, EXITED, MEMORY = 1, 2, 3  # exit codes of the fork; 0 counts only with the token
_OF_PROCESS = 2  # with a process's id, the kernel's name for the clock of its processor time
_NEARLY = 0.9
_ALIKE = 6  # pipes of each kind, one of which counts


def main(arguments: list[str]) -> NoReturn:
    """Fork, watch the fork, and write the report; see the module's docstring."""
    report, seconds, memory, processes, size, user, *parts = map(int, arguments)
    os.set_inheritable(report, False)
    confined_out, confined_in = os.pipe()
    go_out, go_in = os.pipe()
    tokens, done, marks = _pipes(_ALIKE), _pipes(_ALIKE), _pipes(1)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # `_wait` takes it from the queue
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        ends = [tokens[0][0], done[0][1], marks[0][1]]
        unused = [write for _, write in tokens] + [read for read, _ in done + marks]
        for descriptor in (report, confined_out, go_in, *unused):
            os.close(descriptor)
        for listed in (tokens, done, marks, unused):
            listed.clear()  # else the program would find them in this frame
        sources = _read(parts)
        _confine(seconds, memory, processes, size, user)
        os.write(confined_in, b"y")
        os.read(go_out, 1)  # else it might kill the watcher before the report has begun
        for descriptor in (confined_in, go_out):
            os.close(descriptor)
        _run(sources, ends)
    os.close(confined_in)
    if not os.read(confined_out, 1):
        os._exit(1)
    given = [os.urandom(16) for _ in tokens]
    for token, (_, write) in zip(given, tokens, strict=True):
        os.write(write, token)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # process 1 gets no signal without a handler
    os.write(report, b"started\n")
    os.close(go_in)
    for _, write in done + marks:
        os.close(write)
    result = _result_of(child, seconds)
    told = _content(marks[0][0]).split()
    if result == b"passed" and (_content(done[0][0]) != given[0] or END not in told):
        result = b"exited"
    rest = zip(given[1:], tokens[1:], done[1:], strict=True)
    if any(_content(one[0]) != token or _content(other[0]) for token, one, other in rest):
        told.append(b"descriptors")
    if not {*told} <= KNOWN | {END}:
        told.append(b"descriptors")
    os.write(report, b" ".join([result, *sorted(KNOWN.intersection(told))]) + b"\n")
    os._exit(0)


def _pipes(count: int) -> list[tuple[int, int]]:
    """(read, write) of pipes, in no order of their numbers. The first is the one that counts."""
    return sorted((os.pipe() for _ in range(count)), key=lambda _: os.urandom(8))


def _read(sizes: list[int]) -> list[bytes]:
    with open(0, "rb", closefd=False) as source:
        return [source.read(size) for size in sizes]


def _content(descriptor: int) -> bytes:
    """What stands in a pipe now, so far as any result could need."""
    os.set_blocking(descriptor, False)
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def _result_of(child: int, seconds: int) -> bytes:
    status = _wait(child, seconds)
    if status is None:
        spent = time.clock_gettime((~child << 3) | _OF_PROCESS)
        return b"worked" if spent >= _NEARLY * seconds else b"timeout"
    if os.WIFSIGNALED(status):
        return b"worked" if os.WTERMSIG(status) == signal.SIGXCPU else b"killed"
    code = os.WEXITSTATUS(status)
    return {0: b"passed", EXITED: b"exited", MEMORY: b"memory"}.get(code, b"failed")


def _wait(child: int, seconds: int) -> int | None:
    """The child's status once it has ended; None after so many seconds.

    Processes that the program leaves behind become process 1's, and count until it has waited for
    them.
    """
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()  # taken first: after a pause, an end still counts
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == child:
                    return ended[1]
        if left <= 0:
            return None
        signal.sigtimedwait([signal.SIGCHLD], left)


def _confine(seconds: int, memory: int, processes: int, size: int, user: int) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    for which, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds + 1),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(which, (limit, limit))
    if user:  # a user of its own, so that the limit of processes counts this sandbox alone
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)


def _run(sources: list[bytes], ends: list[int]) -> NoReturn:
    # bound now: the program may replace what the modules hold
    leave, show = os._exit, traceback.print_exc
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["program"]
    if any(b"unittest" in source for source in sources):
        _let_unittest_go_on()
    try:
        _finish(  # all but `leave` and `module` is on the stack alone while the program runs
            leave,
            (os.getpid, os.getpid(), os.read, os.write),
            ends.pop(0),
            ends.pop(0),
            Marks(ends.pop(0), sources[0]),
            any(map(exec, _compiled(sources), itertools.repeat(module.__dict__))),
        )
    except BaseException as error:  # noqa: BLE001 - whatever it raises is its result
        code = FAILED
        if isinstance(error, MemoryError):
            code = MEMORY
        elif isinstance(error, SystemExit):
            code = EXITED
        try:
            show()
        finally:
            leave(code)


def _compiled(sources: list[bytes]) -> Iterator[types.CodeType]:
    """The code of each part; all are compiled before any runs. Empties the list."""
    names = ["<program>"] * (len(sources) - 1) + [TESTS if len(sources) > 1 else "<program>"]
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


def _let_unittest_go_on() -> None:
    """Make `unittest.main()` return where every test passed, and raise where one did not.

    It would leave with `sys.exit`, which no program that came to its end does.
    """
    import unittest

    class Main(unittest.TestProgram):
        exit: bool

        def runTests(self) -> None:  # noqa: N802 - unittest's own name
            leaves, self.exit = bool(self.exit), False
            super().runTests()
            if leaves and not (self.result.wasSuccessful() and self.result.testsRun):
                raise AssertionError("unittest: a test failed, or there was none")

    # the library's, to those who look (`Marks`)
    code = Main.runTests.__code__.replace(co_filename=unittest.__file__)
    Main.runTests.__code__ = code
    unittest.main = Main


if __name__ == "__main__":
    main(sys.argv[1:])
