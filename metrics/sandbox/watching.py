"""The watcher's side of a test: pipes to the fork, what comes from it, its end, what it leaves.

Runs inside the sandbox, before metrics.sandbox.launcher; the standard library only.
"""

import contextlib
import itertools
import math
import os
import select
import signal
import time

ANSWER = 1 << 20  # bytes of an answer; a program that prints more is stopped
TAIL = 4096  # bytes of standard error
_ALIKE = 6  # pipes of each kind, one of which counts
_PATIENCE_S = 2.0  # for what was left behind to go

Pipes = list[tuple[int, int]]


class Kept:
    """Descriptors of the fork: two for the beginning, three that become 0, 1 and 2."""

    def __init__(self, confined: int, go: int, feed: int, answer: int, errors: int) -> None:
        self.confined, self.go = confined, go
        self.feed, self.answer, self.errors = feed, answer, errors

    def close(self) -> None:
        """Close the two that the program has no part in."""
        os.close(self.confined)
        os.close(self.go)
        vars(self).clear()  # numbers of descriptors stand in no frame


class Channels:
    """The pipes between the watcher and one fork.

    judged  whether the end is shown by a token
    """

    def __init__(self, judged: bool) -> None:
        self._plain = [os.pipe() for _ in range(5)]
        self.tokens = _pipes(_ALIKE if judged else 0)
        self.done = _pipes(_ALIKE if judged else 0)
        self.marks = _pipes(1 if judged else 0)

    def of_fork(self) -> tuple[Kept, list[int]]:
        """The fork's descriptors, and those that show the end or take the answer; all others are
        closed."""
        confined, go, feed, answer, errors = self._plain
        sides = (self.tokens, 0), (self.done, 1), (self.marks, 1)
        ends = [pipes[0][side] for pipes, side in sides if pipes] or [answer[1]]
        others = [confined[0], go[1], feed[1], answer[0], errors[0]]
        others += [write for _, write in self.tokens] + [read for read, _ in self.done + self.marks]
        for descriptor in others:
            os.close(descriptor)
        kept = Kept(confined[1], go[0], feed[0], answer[1], errors[1])
        vars(self).clear()  # else the program would find them in its frames
        return kept, ends

    def of_watcher(self) -> list[int]:
        """confined, go, feed, answer, errors: the watcher's ends; the fork's are closed."""
        confined, go, feed, answer, errors = self._plain
        for descriptor in (confined[1], go[0], feed[0], answer[1], errors[1]):
            os.close(descriptor)
        return [confined[0], go[1], feed[1], answer[0], errors[0]]

    def give_tokens(self) -> list[bytes]:
        """Write the tokens, the first of which counts; returns them."""
        given = [os.urandom(16) for _ in self.tokens]
        for token, (_, write) in zip(given, self.tokens, strict=True):
            os.write(write, token)
        for _, write in self.done + self.marks:
            os.close(write)
        return given

    def close(self) -> None:
        """Close what `give_tokens` left open."""
        for descriptor in itertools.chain(*self.tokens):
            os.close(descriptor)
        for read, _ in self.done + self.marks:
            os.close(read)


def _pipes(count: int) -> Pipes:
    """(read, write) of pipes, in no order of their numbers. The first is the one that counts."""
    return sorted((os.pipe() for _ in range(count)), key=lambda _: os.urandom(8))


def content(descriptor: int) -> bytes:
    """What stands in a pipe now, so far as any result could need."""
    os.set_blocking(descriptor, False)
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


class Wake:
    """Becomes readable when a process has ended."""

    def __init__(self) -> None:
        self.read, self._write = os.pipe()
        for descriptor in (self.read, self._write):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def close(self) -> None:
        """In a fork: signals are as they are in any program."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(self.read)
        os.close(self._write)


class Streams:
    """What goes to a fork and comes from it while it is waited for; closes all three at the end.

    long  the answer is longer than it may be
    """

    def __init__(self, wake: Wake, feed: int, given: bytes, answer: int, errors: int) -> None:
        self.long = False
        self._wake, self._feed, self._given = wake.read, feed, memoryview(given)
        self._answer, self._errors = answer, errors
        self._texts = {answer: bytearray(), errors: bytearray()}
        self._poll = select.poll()
        self._poll.register(wake.read, select.POLLIN)
        for descriptor in (answer, errors, feed):
            os.set_blocking(descriptor, False)
        for descriptor in (answer, errors):
            self._poll.register(descriptor, select.POLLIN)
        self._poll.register(feed, select.POLLOUT)
        if not given:
            self._end_feed()

    def step(self, seconds: float) -> None:
        """Move what can be moved, once something can or the time is over."""
        for descriptor, _ in self._poll.poll(math.ceil(seconds * 1000)):
            if descriptor == self._wake:
                content(descriptor)
            elif descriptor == self._feed:
                self._write()
            elif not self._read(descriptor):
                self._poll.unregister(descriptor)

    def drain(self) -> None:
        """Take what is still in the pipes."""
        for descriptor in self._texts:
            for _ in range(64):
                if not self._read(descriptor):
                    break
            os.close(descriptor)
        self._end_feed()

    def texts(self) -> tuple[bytes, bytes]:
        """The answer, and the end of standard error."""
        return bytes(self._texts[self._answer][:ANSWER]), bytes(self._texts[self._errors])

    def _read(self, descriptor: int) -> bool:
        text = self._texts[descriptor]
        try:
            chunk = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return False
        text += chunk
        if descriptor == self._errors:
            del text[:-TAIL]
        elif len(text) > ANSWER:
            self.long = True
            return False
        return bool(chunk)

    def _write(self) -> None:
        try:
            self._given = self._given[os.write(self._feed, self._given[: 1 << 16]) :]
        except BlockingIOError:
            return
        except OSError:  # nobody reads it
            self._given = self._given[:0]
        if not self._given:
            self._end_feed()

    def _end_feed(self) -> None:
        if self._feed >= 0:
            self._poll.unregister(self._feed)
            os.close(self._feed)
            self._feed = -1


def wait(child: int, seconds: int, streams: Streams) -> int | None:
    """The child's status once it has ended; None after so many seconds, or of a long answer.

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
        if left <= 0 or streams.long:
            return None
        streams.step(left)


def sweep(user: int) -> bool:
    """Kill what a test left running; whether all of it is gone.

    A process of the program's user does it: the watcher itself may have no right to.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        try:
            os.kill(-1, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        if os.fork() == 0:
            _kill_all(user)
        time.sleep(0.002)
    return False


def _kill_all(user: int) -> None:
    try:
        if user:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        os.kill(-1, signal.SIGKILL)  # all but this one and process 1, at once
    finally:
        os._exit(0)
