"""Runs inside the sandbox, as `python -c`: watches one program and says how it ended.

It knows nothing of the project and imports only the standard library. The watcher forks; the
fork limits itself, drops its rights and runs the program; the watcher alone holds the report's
descriptor. The watcher is process 1 of its PID namespace: the kernel keeps from it every signal
that the program could send, of the same user or not, and kills whatever the program left behind
when the watcher exits.

That the program came to its end is shown by a token: 16 random bytes that the watcher makes after
the fork and puts into a pipe, which the fork empties only once the program has returned. So it is
in no frame and no object that the program could look through. `sys.exit(0)`, `os._exit(0)` and
anything printed leave the token where it is.

Arguments: descriptor of the report, seconds, bytes of memory, processes, bytes a file, user id
(0: stay who we are). The program is read from standard input. The report's lines: `started` once
the fork is confined and before its program runs, then one of `passed failed exited timeout worked
memory killed`, where `worked` is a timeout of a program that had a processor to itself nearly
throughout. A fork that cannot be confined runs nothing: the report stays empty, and standard error
has the reason.
"""

import contextlib
import os
import resource
import signal
import sys
import time
import traceback
import types
from typing import NoReturn

FAILED, EXITED, MEMORY = 1, 2, 3  # exit codes of the fork; 0 counts only with the token
_OF_PROCESS = 2  # with a process's id, the kernel's name for the clock of its processor time
_NEARLY = 0.9


def main(arguments: list[str]) -> NoReturn:
    """Fork, watch the fork, and write the report; see the module's docstring."""
    report, seconds, memory, processes, size, user = map(int, arguments)
    os.set_inheritable(report, False)
    confined_out, confined_in = os.pipe()
    go_out, go_in = os.pipe()
    token_out, token_in = os.pipe()
    done_out, done_in = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # `_wait` takes it from the queue
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for descriptor in (report, token_in, done_out, confined_out, go_in):
            os.close(descriptor)
        with open(0, "rb", closefd=False) as source:
            program = source.read()
        _confine(seconds, memory, processes, size, user)
        os.write(confined_in, b"y")
        os.read(go_out, 1)  # else it might kill the watcher before the report has begun
        for descriptor in (confined_in, go_out):
            os.close(descriptor)
        _run(program, token_out, done_in)
    os.close(confined_in)
    if not os.read(confined_out, 1):
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # process 1 gets no signal without a handler
    os.write(report, b"started\n")
    os.close(go_in)
    token = os.urandom(16)
    os.write(token_in, token)  # before its other end is closed here: the fork may be over already
    for descriptor in (token_out, done_in):
        os.close(descriptor)
    os.write(report, _result_of(child, seconds, done_out, token) + b"\n")
    os._exit(0)


def _result_of(child: int, seconds: int, done: int, token: bytes) -> bytes:
    status = _wait(child, seconds)
    if status is None:
        spent = time.clock_gettime((~child << 3) | _OF_PROCESS)
        return b"worked" if spent >= _NEARLY * seconds else b"timeout"
    if os.WIFSIGNALED(status):
        return b"worked" if os.WTERMSIG(status) == signal.SIGXCPU else b"killed"
    code = os.WEXITSTATUS(status)
    os.set_blocking(done, False)
    try:
        finished = os.read(done, len(token)) == token
    except BlockingIOError:  # a process it left behind still holds the other end
        finished = False
    if code == 0:
        return b"passed" if finished else b"exited"
    return {EXITED: b"exited", MEMORY: b"memory"}.get(code, b"failed")


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


def _run(program: bytes, token_out: int, done_in: int) -> NoReturn:
    # bound now: the program may replace what the modules hold
    leave, read, write, show = os._exit, os.read, os.write, traceback.print_exc
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["program"]
    if b"unittest" in program:
        _let_unittest_go_on()
    try:
        source = program.decode("utf-8", "surrogatepass")
        exec(compile(source, "<program>", "exec"), module.__dict__)  # noqa: S102 - the purpose
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
    write(done_in, read(token_out, 16))
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

    unittest.main = Main


if __name__ == "__main__":
    main(sys.argv[1:])
