"""How scoring and training share a device: together, within a stated budget, or by turns.

    together  neither looks at the other
    budget    scoring's models stay within `ASSAY_MODEL_MEMORY_BYTES` a process; a training job is
              admitted where it fits into the rest
    turns     see `service.devices.turns`; a training job may have the whole device

`auto` is `together` on a CPU, whose memory the system shares out, and on a device that the worker
only trains on or only scores on. On a GPU it is `budget`, but `turns` where the budget is more than
half of the device, since not much could be trained in the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

from service.devices import memory
from service.devices import store as devices
from service.settings import Settings

BESIDE_MODELS = 1_000_000_000  # bytes a scoring process needs on a GPU: its context, its batches
CONTEXT = 500_000_000  # bytes of a GPU that a scoring process keeps when it has dropped its models
SCORING = ("now", "score")  # queues


@dataclass(frozen=True, slots=True)
class Share:
    """What a worker's device is to its training jobs; `kept`: bytes that are scoring's."""

    how: Literal["together", "budget", "turns"]
    device: str
    memory: int | None
    kept: int = 0


def share(settings: Settings, device: str) -> Share:
    """Of the device as this worker has it."""
    queues = {queue.strip() for queue in settings.worker_queues.split(",")}
    scoring = len(queues.intersection(SCORING))
    size = memory.device_memory(device)
    on_gpu = device.startswith("cuda")
    budget = scoring * (settings.model_memory_bytes + BESIDE_MODELS * on_gpu)
    how = settings.device_sharing
    if how == "auto":
        if not on_gpu or not scoring or "train" not in queues:
            how = "together"
        else:
            how = "turns" if size is not None and budget > size / 2 else "budget"
    name = memory.device_name(device)
    if how == "budget":
        return Share(how, name, size, budget)
    return Share(how, name, size, scoring * CONTEXT if how == "turns" and on_gpu else 0)


def offer(db: Connection, settings: Settings, device: str) -> Share:
    """Say what this worker's device holds, for jobs that are yet to be asked for."""
    found = share(settings, device)
    if found.memory is not None:
        devices.offer(db, found.device, found.memory, found.kept)
    return found


def keys(settings: Settings, device: str, processes: int = 1) -> list[Path]:
    """Names of the locks of a job's devices, where they are used by turns: one machine's own, the
    same in all its containers."""
    if share(settings, device).how != "turns":
        return []
    several = device.startswith("cuda") and processes > 1  # torchrun takes the first ones
    used = [f"cuda:{rank}" for rank in range(processes)] if several else [device]
    folder = settings.data_dir / "devices"
    return [folder / memory.device_key(one) for one in used]
