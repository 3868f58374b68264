"""What a device is and has, found without torch: GPUs by nvidia-smi, the CPU by the kernel."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
BOOT = Path("/proc/sys/kernel/random/boot_id")


def device_name(device: str) -> str:
    """The device with its host, for people: `node-3/cuda:0`."""
    return f"{socket.gethostname()}/{device}"


def device_key(device: str) -> str:
    """A name of the device itself: the same in all containers of a machine."""
    machine = BOOT.read_text().strip() if BOOT.exists() else socket.gethostname()
    uuid = _query_gpu(device, "uuid") if device.startswith("cuda") else None
    return f"{machine}-{uuid or device}".replace("/", "-")


def gpus() -> list[str]:
    """The GPUs that processes of this machine see, as torch numbers them; torch is not asked."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:  # torch numbers what is visible
        count = 0 if visible.strip() in {"", "-1"} else len(visible.split(","))
    else:
        count = 0
        with suppress(OSError, subprocess.SubprocessError):
            listed = subprocess.run(
                ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True
            )
            count = len(re.findall(r"^GPU \d+:", listed.stdout, re.MULTILINE))
    return [f"cuda:{index}" for index in range(count)]


def device_memory(device: str) -> int | None:
    """Bytes of memory; None where nobody says."""
    if not device.startswith("cuda"):
        return _machine_memory()
    mebibytes = _query_gpu(device, "memory.total")
    return int(mebibytes.split()[0]) * 1024**2 if mebibytes is not None else None


def _query_gpu(device: str, field: str) -> str | None:
    """What nvidia-smi says, without units; None where it does not."""
    number = int(device.partition(":")[2] or 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    with suppress(OSError, subprocess.SubprocessError, ValueError, IndexError):
        id_ = visible.split(",")[number].strip() if visible else str(number)
        command = ["nvidia-smi", f"--id={id_}", f"--query-gpu={field}"]
        listed = subprocess.run(
            [*command, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return listed.stdout.strip() or None
    return None


def _machine_memory() -> int | None:
    """Bytes of the machine, or what this process's control group may have of them."""
    limits = []
    with suppress(OSError, ValueError, StopIteration, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        total = next(line for line in lines if line.startswith("MemTotal"))
        limits.append(int(total.split()[1]) * 1024)
    for path in CGROUP:
        with suppress(OSError, ValueError):  # "max" is no number
            limits.append(int(path.read_text()))
    return min(limits, default=None)
