"""What the watcher says of a program, heard from outside the sandbox."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_TAIL = 4096  # bytes of standard error that are kept
_LOOK_S = 0.05  # between two looks at what the program holds
_GRACE_S = 2.0  # to hear what was said meanwhile, if this process itself was stopped


class Report:
    """Lines from one descriptor, and the end of what comes from another; a context manager.

    The watcher keeps the time. This end has a clock only so that a watcher that was stopped is not
    waited for for ever.

    exceeds  whether the program holds more than it may: then `exceeded`, and no more is heard
    """

    def __init__(self, report: int, errors: int, exceeds: Callable[[], bool]) -> None:
        self.exceeded = False
        self._exceeds = exceeds
        self.said = b""
        self.tail = b""
        self._report, self._errors = report, errors
        self._selector = selectors.DefaultSelector()
        for descriptor in (report, errors):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def line(self, seconds: float) -> bytes | None:
        """The next line, without its end; None where none was said within the time or just after
        it."""
        for patience in (seconds, _GRACE_S):
            deadline = time.monotonic() + patience
            while b"\n" not in self.said and (left := deadline - time.monotonic()) > 0:
                self.exceeded = self.exceeded or self._exceeds()
                if self.exceeded or not self._read(min(left, _LOOK_S)):
                    return None
        line, end, rest = self.said.partition(b"\n")
        if end:
            self.said = rest
        return line if end else None

    def _read(self, seconds: float) -> bool:
        """Read what comes next; False where nobody is left who could say more."""
        for key, _ in self._selector.select(seconds):
            chunk = os.read(key.fd, 1 << 16)
            if key.fd == self._report:
                self.said += chunk
                if not chunk:
                    return False
            elif chunk:
                self.tail = (self.tail + chunk)[-_TAIL:]
            else:
                self._selector.unregister(key.fd)
        return True

    def errors(self) -> str:
        """The last 4,096 bytes of standard error, as far as it has come."""
        with suppress(BlockingIOError):
            self.tail += os.read(self._errors, 1 << 16)
        return self.tail[-_TAIL:].decode("utf-8", "replace")
