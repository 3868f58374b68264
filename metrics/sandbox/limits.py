"""What a sandboxed program may use, and how it can end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one program, all its processes together."""

    timeout_s: int = 10  # wall clock, from the program's first line
    memory_mb: int = 512  # that its processes hold together; address space of each
    processes: int = 8  # threads count as processes
    disk_mb: int = 32  # /tmp, and the largest file


class Ending(IntEnum):
    """How a program ended; stored in evidence, so the numbers never change."""

    PASSED = 0  # ran to its last line and left with exit code 0
    FAILED = 1  # an exception: a failed assertion, a syntax error
    EXITED = 2  # left before its last line
    TIMEOUT = 3
    MEMORY = 4  # MemoryError, or its processes held more together than they may
    KILLED = 5  # by a signal, or it killed its watcher

    @property
    def of_the_machine(self) -> bool:
        """Whether the machine and its load had a part in it: another run may end otherwise."""
        return self in {Ending.TIMEOUT, Ending.MEMORY, Ending.KILLED}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one program.

    stderr  the last 4,096 bytes it wrote to standard error
    worked  it ran out of time although a processor was its own nearly throughout
    """

    ending: Ending
    stderr: str
    worked: bool = False

    @property
    def passed(self) -> bool:
        """Whether it ran to its last line and left with exit code 0."""
        return self.ending is Ending.PASSED
