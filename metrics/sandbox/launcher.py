"""Runs inside the sandbox, as `python -c`: watches a program's tests and says how each ended.

It imports only the standard library: inside, the sources of the modules of metrics.sandbox that it
names stand before it in place of their imports. The watcher forks for each test; the fork limits
itself, drops its rights and runs the program; the watcher alone holds the report's descriptor. The
watcher is process 1 of its PID namespace: the kernel keeps from it every signal that the program
could send, of the same user or not, and kills whatever the program left behind when the watcher
exits. Between two tests the watcher kills that itself.

That a test came to its end is shown by a token: 16 random bytes that the watcher makes after the
fork and puts into a pipe, which the fork empties only once the test has returned, to write them
into another. `sys.exit(0)`, `os._exit(0)` and anything printed leave the token where it is. What
the program could use to do so itself is kept from it: numbers of descriptors, the tests' code and
the functions that end the process are on the interpreter's stack, in no variable of any frame; and
each of the two pipes is one of several that look alike. Code can still find a way: it shares the
interpreter. So the watcher is told of what honest programs have no use for (`Marks`).

Where a program answers (what it prints, what a function returns), no token is needed: the answer
leaves with the report, and what it has to be is not in the sandbox.

Arguments: those of metrics.sandbox.job.Job, whose parts are read from standard input. The
report's lines: `started` once the first fork is confined and before its program runs; then for each
test one of `passed failed exited timeout worked memory killed long`, what was answered and
the end of standard error, both in base 64 after a `:`, and the marks, separated by spaces, where
`worked` is a timeout of a program that had a processor to itself nearly throughout. After a test
that had to be stopped no more are run. A fork that cannot be confined runs nothing: the report
stays empty, and standard error has the reason.
"""

import binascii
import os
import signal
import sys
import time
from typing import NoReturn

from metrics.sandbox.job import Job
from metrics.sandbox.kinds import EXITED, MEMORY, confine, lay_out, run
from metrics.sandbox.marks import END, KNOWN
from metrics.sandbox.watching import Channels, Streams, Wake, content, sweep, wait

_OF_PROCESS = 2  # with a process's id, the kernel's name for the clock of its processor time
_NEARLY = 0.9
_STOPPED = {b"timeout", b"worked", b"long"}  # after which the program may still run


def main(arguments: list[str]) -> NoReturn:
    """Run the tests one after the other, and write the report; see the module's docstring."""
    job = Job(arguments)
    os.set_inheritable(job.report, False)
    job.prepare()
    wake = Wake()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # process 1 gets no signal without a handler
    for number in job.numbers():
        channels = Channels(judged=job.kind == "source")
        child = os.fork()
        if child == 0:
            _forked(job, number, channels, wake)
        if not _watched(job, number, channels, wake, child):
            break
    os._exit(0)


def _forked(job: Job, number: int, channels: Channels, wake: Wake) -> NoReturn:
    """The fork's side: confined, then let go, it runs the program."""
    os.close(job.report)
    wake.close()
    sources, given = job.sources(number), job.feed(number)
    kept, ends = channels.of_fork()
    confine(job, kept)
    os.write(kept.confined, b"y")
    os.read(kept.go, 1)  # else it might kill the watcher before the report has begun
    kept.close()
    if job.kind == "stdin":
        lay_out(sources, given)
    del given
    run(job, sources, ends)


def _watched(job: Job, number: int, channels: Channels, wake: Wake, child: int) -> bool:
    """The watcher's side: tells the report how the test ended; whether another may follow."""
    confined, go, feed, answer, errors = channels.of_watcher()
    if not os.read(confined, 1):
        os._exit(1)
    given = channels.give_tokens()
    if number == 0:
        _write(job.report, b"started\n")
    os.close(confined)
    streams = Streams(wake, feed, job.feed(number), answer, errors)
    os.close(go)
    status = wait(child, job.seconds, streams)
    result = b"long" if streams.long else _result_of(status, child, job)
    more = result not in _STOPPED and not job.is_last(number) and sweep(job.user)
    streams.drain()
    marks: list[bytes] = []
    if job.kind == "source":
        result, marks = _with_token(result, channels, given)
    texts = [b":" + binascii.b2a_base64(text, newline=False) for text in streams.texts()]
    _write(job.report, b" ".join([result, *texts, *marks]) + b"\n")
    channels.close()
    return more


def _with_token(result: bytes, channels: Channels, given: list[bytes]) -> tuple[bytes, list[bytes]]:
    """The result where it needs the token, and the marks."""
    tokens, done, marks = channels.tokens, channels.done, channels.marks
    told = content(marks[0][0]).split()
    if result == b"passed" and (content(done[0][0]) != given[0] or END not in told):
        result = b"exited"
    rest = zip(given[1:], tokens[1:], done[1:], strict=True)
    if any(content(one[0]) != token or content(other[0]) for token, one, other in rest):
        told.append(b"descriptors")
    if not {*told} <= KNOWN | {END}:
        told.append(b"descriptors")
    return result, sorted(KNOWN.intersection(told))


def _write(descriptor: int, text: bytes) -> None:
    while text:
        text = text[os.write(descriptor, text) :]


def _result_of(status: int | None, child: int, job: Job) -> bytes:
    if status is None:
        spent = time.clock_gettime((~child << 3) | _OF_PROCESS)
        return b"worked" if spent >= _NEARLY * job.seconds else b"timeout"
    if os.WIFSIGNALED(status):
        return b"worked" if os.WTERMSIG(status) == signal.SIGXCPU else b"killed"
    code = os.WEXITSTATUS(status)
    if job.kind == "stdin":
        return b"failed" if code else b"passed"
    words = {0: b"passed", EXITED: b"exited", MEMORY: b"memory"}
    return words.get(code, b"failed")


if __name__ == "__main__":
    main(sys.argv[1:])
