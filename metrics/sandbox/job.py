"""What the launcher is asked to do: a program's parts, its tests, and their limits.

Runs inside the sandbox, before metrics.sandbox.launcher; the standard library only.
"""

import itertools
import os
import sys
from typing import Any

# modules that programs of contests use without importing them, as LiveCodeBench has them
_AT_HAND = (
    "string re datetime collections heapq bisect copy math random statistics itertools functools "
    "operator io sys json typing"
)
_DEEP = 50_000  # calls, likewise
_DIGITS = 50_000  # of an integer that becomes text, likewise


class Job:
    """What the launcher is asked to do, read from its arguments.

    report, seconds, memory, processes, size, user
              the report's descriptor, seconds for each test, bytes of memory (0: not bounded here),
              processes, bytes a file, user id (0: stay who we are)
    kind      how tests run: see metrics.sandbox.kinds
    own, shared, count, sizes
              how many parts are the program's, how many of the rest are before every test, how many
              there are, and the bytes of each; what is left are the tests, or none is
    command   where another interpreter runs the program: its file's name, and the command's words
    """

    def __init__(self, arguments: list[str]) -> None:
        numbers, rest = arguments[:6], arguments[6:]
        self.report, self.seconds, self.memory, self.processes, self.size, self.user = map(
            int, numbers
        )
        self.kind = rest[0]
        own, shared, count = map(int, rest[1:4])
        sizes = [int(size) for size in rest[4 : 4 + count]]
        starts = itertools.accumulate([0, *sizes])
        self._spans = tuple(zip(starts, sizes, strict=False))
        self.own, self._before = own, own + shared
        self.command = rest[4 + count :]
        self.at_hand: dict[str, Any] = {}

    def prepare(self) -> None:
        """Import what programs of contests have at hand, once for all tests."""
        if self.kind == "source" or self.command:
            return
        sys.setrecursionlimit(_DEEP)
        sys.set_int_max_str_digits(_DIGITS)
        builtins = vars(sys.modules["builtins"])
        for name in _AT_HAND.split():
            module = vars(__import__(name))
            public = module.get("__all__") or [one for one in module if one[0] != "_"]
            self.at_hand |= {one: module[one] for one in public if one not in builtins}
        self.at_hand |= {name: sys.modules[name] for name in _AT_HAND.split()}

    def numbers(self) -> range:
        """Of the tests, from 0; a single one where no part is a test."""
        return range(max(1, len(self._spans) - self._before))

    def is_last(self, number: int) -> bool:
        """Whether no test comes after this one."""
        return number == self.numbers()[-1]

    def sources(self, number: int) -> list[bytes]:
        """The parts that this test runs, itself the last; of `stdin` the program alone."""
        spans = list(self._spans[: self._before])
        if self.kind != "stdin":
            spans += self._spans[self._before + number :][:1]
        return [_read(*span) for span in spans]

    def feed(self, number: int) -> bytes:
        """What the test's program reads from standard input."""
        spans = self._spans[self._before + number :][:1] if self.kind == "stdin" else ()
        return b"".join(_read(*span) for span in spans)


def _read(start: int, size: int) -> bytes:
    parts = []
    while size and (part := os.pread(0, size, start)):
        parts.append(part)
        start, size = start + len(part), size - len(part)
    return b"".join(parts)
