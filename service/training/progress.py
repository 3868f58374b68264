"""Whether a training process still gets on, however slowly.

A step may take minutes, or hours: how long it takes says nothing. What it does says more: it
reports, computes, or writes its checkpoint.
"""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

PATIENCE = 120.0  # seconds without progress that are waited out
LOOKS = 20  # at what the process does, in that time
BUSY = 0.05  # share of a core that is progress; a launcher that only looks after others has 0.01
WRITING = 1 << 20  # bytes a second that are progress


class Progress:
    """Of a process and all below it, since its last sign of life."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._since = self._looked = time.monotonic()
        self._seconds, self._bytes = 0.0, 0  # at the last progress that was seen

    def mark(self) -> None:
        """A sign of life, now."""
        self._since = time.monotonic()

    def stalled(self) -> bool:
        """Whether there has been no sign of life for PATIENCE. Reports are the caller's to mark."""
        now = time.monotonic()
        if now - self._looked < PATIENCE / LOOKS:
            return now - self._since > PATIENCE
        self._looked = now
        seconds, written = _spent(self._process)
        if seconds - self._seconds > BUSY * PATIENCE or written - self._bytes > WRITING * PATIENCE:
            self._seconds, self._bytes = seconds, written
            self.mark()
        return now - self._since > PATIENCE


def _spent(process: int) -> tuple[float, int]:
    """Seconds of processors, and bytes written to disks."""
    seconds, written = 0.0, 0
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(process)
        for one in [top, *top.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                seconds += sum(one.cpu_times()[:4])  # its own and that of children it outlived
                written += one.io_counters().write_bytes
    return seconds, written
