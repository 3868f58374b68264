"""Memory that all processes of a sandboxed program hold together, as the kernel counts it.

Read from outside, from `/proc`: nothing in the sandbox can change what is read. A page that
several processes share counts once, as does one that a fork has not written to yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_GONE = (FileNotFoundError, ProcessLookupError)
_KIB = 1024


def exceeds(sandbox: int, limit: int) -> bool:
    """Whether the program in a sandbox holds more than so many bytes.

    sandbox  the process id of bubblewrap, whose child is the watcher, whose child is the program

    Memory that is in no process's page tables (files in /tmp, shared memory whose only user so far
    has ended) does not count.
    """
    watchers = list(_children(sandbox))
    program = [process for watcher in watchers for process in _descendants(watcher)]
    if sum(_sum(process, "status", ("VmRSS", "VmSwap")) for process in program) <= limit:
        return False  # an upper bound that is cheap to have
    return sum(map(_proportional, program)) > limit


def known() -> bool:
    """Whether this kernel tells a process's children, without which nothing can be added up."""
    return (_PROC / "thread-self/children").exists()


def _descendants(process: int) -> Iterator[int]:
    for child in _children(process):
        yield child
        yield from _descendants(child)


def _children(process: int) -> Iterator[int]:
    with suppress(*_GONE):
        for thread in (_PROC / str(process) / "task").iterdir():
            with suppress(*_GONE):
                yield from map(int, (thread / "children").read_text().split())


def _proportional(process: int) -> int:
    """Each page divided by how many processes have it; undivided where we may not look closer."""
    try:
        return _sum(process, "smaps_rollup", ("Pss", "SwapPss"))
    except PermissionError:
        return _sum(process, "status", ("RssAnon", "RssShmem", "VmSwap"))


def _sum(process: int, file: str, names: tuple[str, ...]) -> int:
    """Bytes of these lines of a file of the process; 0 once it has ended."""
    total = 0
    with suppress(*_GONE):
        for line in (_PROC / str(process) / file).read_text().splitlines():
            name, _, value = line.partition(":")
            if name in names:
                total += int(value.split()[0]) * _KIB
    return total
