"""Which devices there are, and whether those that were named are among them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence

from service.devices.memory import gpus

NAME = re.compile(r"cpu|cuda(?::(\d+))?")
LOOK = "import torch; print(torch.cuda.device_count())"


class UnknownDevice(Exception):
    """A device that was named is not there; the message says which are."""


def devices(workers: str) -> list[str]:
    """One device a worker. `auto`: every visible GPU, else the CPU; torch is not asked.

    Raises UnknownDevice for a name that is no device of this machine.
    """
    if workers.strip() != "auto":
        names = [name.strip() for name in workers.split(",") if name.strip()]
        check(names)
        return names
    return gpus() or ["cpu"]


def check(names: Sequence[str]) -> None:
    """Raises UnknownDevice for the first name that is not `cpu` or a GPU that torch sees."""
    if all(name == "cpu" for name in names):
        return
    count = _gpus()
    if not count:
        there = "cpu, and no GPU that torch can use"
    else:
        there = ", ".join(["cpu", *(f"cuda:{index}" for index in range(count))])
    for name in names:
        found = NAME.fullmatch(name)
        if found is None or (name != "cpu" and int(found[1] or 0) >= count):
            raise UnknownDevice(f"there is no device {name!r}; this machine has {there}")


def _gpus() -> int:
    """How many GPUs torch sees, asked in a process of its own: the one that asks stays small."""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=120, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return int(asked.stdout)
