"""The device policy: how scoring and training share a device.

    together  neither looks at the other
    budget    scoring's models stay within `ASSAY_MODEL_MEMORY_BYTES` a process; a training job is
              admitted where it fits into the rest
    turns     see `service.devices.turns`; a training job may have the whole device

`ASSAY_DEVICE_SHARING` chooses. `auto` is `together` on a CPU, whose memory the system shares out,
and on a device that the worker only trains on or only scores on. On a GPU it is `budget`, but
`turns` where the budget is more than half of the device, since not much could be trained in the
rest.
"""

from __future__ import annotations

from collections.abc import Sequence
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
class DevicePolicy:
    """How a worker's device is shared.

    device  its name, with its host
    memory  bytes it has; None where nobody says
    kept    bytes of them that are scoring's
    """

    mode: Literal["together", "budget", "turns"]
    device: str
    memory: int | None
    kept: int = 0


def device_policy(settings: Settings, device: str) -> DevicePolicy:
    """The policy of the device as this worker has it."""
    scoring = len(set(settings.queues).intersection(SCORING))  # processes
    size = memory.device_memory(device)
    on_gpu = device.startswith("cuda")
    budget = scoring * (settings.model_memory_bytes + BESIDE_MODELS * on_gpu)
    mode = settings.device_sharing
    if mode == "auto":
        if not on_gpu or not scoring or "train" not in settings.queues:
            mode = "together"
        else:
            mode = "turns" if size is not None and budget > size / 2 else "budget"
    name = memory.device_name(device)
    if mode == "budget":
        return DevicePolicy(mode, name, size, budget)
    return DevicePolicy(mode, name, size, scoring * CONTEXT if mode == "turns" and on_gpu else 0)


def register(db: Connection, settings: Settings, device: str) -> DevicePolicy:
    """Store what this worker's device has, for the admission of jobs; returns its policy."""
    policy = device_policy(settings, device)
    if policy.memory is not None:
        devices.register(db, policy.device, policy.memory, policy.kept)
    return policy


def lock_paths(settings: Settings, device: str, leased: Sequence[str] = ()) -> list[Path]:
    """Where the locks of a job's devices begin, when they are used by turns; else none.

    They are one machine's own, the same in all its containers.

    leased  the devices that a job has; none: the worker's own
    """
    if device_policy(settings, device).mode != "turns":
        return []
    folder = settings.data_dir / "devices"
    return [folder / memory.device_key(name) for name in leased or [device]]
