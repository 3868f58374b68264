"""What a device is and holds, found without torch: GPUs by nvidia-smi, the CPU by the kernel."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from metrics import find
from typing import Any
from sqlalchemy import Connection
from inference.errors import ReportedError
from inference.names import Location, locate
from service.datasets import store as datasets
from service.settings import Settings
from service.training import checkpoints_store as checkpoints
from trainers.job.declaration import AnyTrainer, Options, Reward
from trainers.job.fsdp import Fsdp
from trainers.job.memory import Estimate, Shape, advice, estimate, shape_of
>>
=======
>>>>>>> theirs

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


        names |= set(find(reward.metric, settings.metric_roots).bind(reward.params).models)
def job_estimate(
    db: Connection,
    settings: Settings,
    trainer: AnyTrainer,
    options: Options,
    model: str,
    dataset_id: str,
    resources: Mapping[str, Any],
) -> Estimate | None:
    """Of one process; None where the model's files are not here (yet). `resources`: as the job has
    them, stored."""
    shape = _shape(db, settings, model)
    if shape is None:
        return None
    longest = datasets.longest(db, dataset_id, trainer.kind)
    rewards = _rewards(db, settings, options)
    shared = resources.get("fsdp")
    fsdp = Fsdp.model_validate(shared) if shared is not None else None
    processes = resources.get("processes", 1)
    return estimate(trainer, options, shape, longest, rewards, processes, fsdp)
def refusal(
    found: Estimate,
    options: Options,
    processes: int,
    device: str,
    memory: int,
    kept: int = 0,
) -> str | None:
    """Why the job does not fit the device, less what is kept for scoring, with numbers and advice;
    None where it does."""
    need = found.bytes * _sharing(device, processes)
    if need <= memory - kept:
        return None
    parts = sorted(found.parts.items(), key=lambda part: -part[1])
    listed = ", ".join(f"{name} {size / GB:.2f}" for name, size in parts)
    several = f" {processes} times" if _sharing(device, processes) > 1 else ""
    return (
        f"training would need about {need / GB:.1f} GB ({listed} GB{several}, with sequences of "
        f"{found.tokens} tokens), and {device} has {memory / GB:.1f} GB{_less(memory, kept)}. "
        f"What helps: {advice(found, options)}"
        f"{'; less kept for scoring (ASSAY_MODEL_MEMORY_BYTES, ASSAY_DEVICE_SHARING)' * bool(kept)}"
    )
def report(
    found: Estimate, processes: int, device: str, memory: int | None, kept: int = 0
) -> Mapping[str, Any]:
    """For the job's report."""
    return {
        "bytes": found.bytes * _sharing(device, processes),
        "parts": found.parts,
        "tokens": found.tokens,
        "device": device,
        "device_bytes": memory,
        "scoring_bytes": kept,
    }
def _less(memory: int, kept: int) -> str:
    """What is not training's, in words."""
    left = max(memory - kept, 0) / GB
    return f", of which {kept / GB:.1f} GB are kept for scoring: {left:.1f} GB are left" * bool(
        kept
    )
def _sharing(device: str, processes: int) -> int:
    """Processes on one device: GPUs have one each, the CPU has them all."""
    return 1 if "/cuda" in device else processes
def _shape(db: Connection, settings: Settings, name: str) -> Shape | None:
    def folder(checkpoint: str) -> Path | None:
        found = checkpoints.folder(db, checkpoint)
        return Path(found) if found is not None else None
    try:
        place = locate(name, settings.model_roots, folder, offline=not settings.hub_allowed)
        while place.base is not None:  # adapters are merged into it
            place = place.base
        files = place.folder or _unpacked(place, settings)
        return shape_of(files) if files is not None else None
    except (ReportedError, OSError, ValueError):  # whoever loads it says what is wrong
        return None
def _unpacked(place: Location, settings: Settings) -> Path | None:
    """Where a GGUF file was converted to, if it was."""
    if place.gguf is None:
        return None
    folders = (settings.data_dir / "models").glob(f"{place.gguf.stem.lower()}-*/config.json")
    return next((found.parent for found in sorted(folders)), None)
def _rewards(db: Connection, settings: Settings, options: Options) -> int:
    """Parameters of the models that are rewards."""
    asked: tuple[Reward, ...] = getattr(options, "rewards", ())
    names = set()
    for reward in asked:
    shapes = [_shape(db, settings, name) for name in names]
    return sum(shape.parameters for shape in shapes if shape is not None)
>>
=======
>>>>>>> theirs
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
