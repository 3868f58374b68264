"""What a sandboxed program may use, what it is run on, and how it can end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one program, all its processes together."""

    timeout_s: int = 10  # wall clock, from the program's first line, for each test
    memory_mb: int = 512  # that its processes hold together; address space of each
    processes: int = 8  # threads count as processes
    disk_mb: int = 32  # /tmp, and the largest file


@dataclass(frozen=True, slots=True)
class Program:
    """A program and its tests, each of which runs it from the beginning.

    parts     its source, each part compiled by itself, so that none can swallow the next
    tests     source that fails by raising; what it reads; or the call of a function, as JSON:
              {"function": …, "arguments": […]}
    shared    source that runs before each test, and that the program's parts cannot read
    expected  what each test's answer has to be, where programs answer (`stdin`, `call`)
    kind      how tests run: metrics.sandbox.kinds
    language  the interpreter; all but Python know `stdin` alone
    """

    parts: tuple[str, ...]
    tests: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    kind: Literal["source", "stdin", "call"] = "source"
    language: str = "python"

    @property
    def runs(self) -> int:
        """How often it runs: once where no test stands apart."""
        return max(1, len(self.tests))


class Ending(IntEnum):
    """How a program ended; stored in evidence, so the numbers never change."""

    PASSED = 0  # ran to its last line and left with exit code 0, or answered right
    FAILED = 1  # an exception: a failed assertion, a syntax error
    EXITED = 2  # left before its last line
    TIMEOUT = 3
    MEMORY = 4  # MemoryError, or its processes held more together than they may
    KILLED = 5  # by a signal, or it killed its watcher
    WRONG = 6  # another answer than the expected one
    LONG = 7  # a longer answer than may be
    NOT_RUN = 8  # an earlier test had to be stopped

    @property
    def of_the_machine(self) -> bool:
        """Whether the machine and its load had a part in it: another run may end otherwise."""
        return self in {Ending.TIMEOUT, Ending.MEMORY, Ending.KILLED}


# of what deceives tests (metrics.sandbox.marks); evidence stores a bit for each, in this order
MARKS = ("frames", "objects", "memory", "equality", "patches", "descriptors")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one run.

    stderr      the last 4,096 bytes of standard error; after a NUL, the error that ended it
    worked      it ran out of time although a processor was its own nearly throughout
    marks       those of MARKS that it was seen to do
    difference  of a wrong answer, how it differs from the expected one
    """

    ending: Ending
    stderr: str = ""
    worked: bool = False
    marks: tuple[str, ...] = ()
    difference: str = ""

    @property
    def passed(self) -> bool:
        """Whether it ran to its last line and left with exit code 0, or answered right."""
        return self.ending is Ending.PASSED
