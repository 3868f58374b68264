"""What a device is and holds, found without torch: GPUs by nvidia-smi, the CPU by the kernel."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
BOOT = Path("/proc/sys/kernel/random/boot_id")


def device_name(device: str) -> str:
    return f"{socket.gethostname()}/{device}"


def device_key(device: str) -> str:
    """Names the device itself: the same in all containers of a machine."""
    machine = BOOT.read_text().strip() if BOOT.exists() else socket.gethostname()
    found = _asked_gpu(device, "uuid") if device.startswith("cuda") else None
    return f"{machine}-{found or device}".replace("/", "-")


def device_memory(device: str) -> int | None:
    """Bytes of memory; None where nobody says."""
    if not device.startswith("cuda"):
        return _of_machine()
    found = _asked_gpu(device, "memory.total")
    return int(found.split()[0]) * 1024**2 if found is not None else None


def _asked_gpu(device: str, what: str) -> str | None:
    """What nvidia-smi says, without units; None where it does not."""
    number = int(device.partition(":")[2] or 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    with suppress(OSError, subprocess.SubprocessError, ValueError, IndexError):
        chosen = visible.split(",")[number].strip() if visible else str(number)
        asked = ["nvidia-smi", f"--id={chosen}", f"--query-gpu={what}"]
        listed = subprocess.run(
            [*asked, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return listed.stdout.strip() or None
    return None


def _of_machine() -> int | None:
    """The machine's, or what this process's control group may have of it."""
    found = []
    with suppress(OSError, ValueError, StopIteration, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        total = next(line for line in lines if line.startswith("MemTotal"))
        found.append(int(total.split()[1]) * 1024)
    for path in CGROUP:
        with suppress(OSError, ValueError):  # "max" is no number
            found.append(int(path.read_text()))
    return min(found, default=None)
