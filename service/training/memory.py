"""Whether a training job fits a device: asked before it is queued, and by the worker once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

import trainers
from inference.errors import ReportedError
from metrics import find
from service.datasets import store as datasets
from service.devices import policy
from service.jobs.context import Context
from service.models import store as models
from service.settings import Settings
from service.training import store as training
from service.training.store import TrainingJob
from trainers.job.declaration import AnyTrainer
from trainers.job.fsdp import Fsdp
from trainers.job.memory import Estimate, Shape, advice, estimate, shape_of
from trainers.job.options import Options, RewardedOptions

GB = 1e9


def job_estimate(
    db: Connection,
    settings: Settings,
    trainer: AnyTrainer,
    options: Options,
    model: str,
    dataset_id: str,
    resources: Mapping[str, Any],
    device: str,
) -> Estimate | None:
    """The memory that one process needs on a device; None while the model's files are not here.

    resources  the job's, as they are stored
    device     with or without its host: node-3/cuda:0
    """
    shape = _shape(db, settings, model)
    if shape is None:
        return None
    longest = datasets.longest(db, dataset_id, trainer.sequences)
    rewards = _rewards(db, settings, options)
    judge = trainer.footprint.critic(options)
    critic = _shape(db, settings, str(judge.params["model"])) if judge is not None else None
    shared = resources.get("fsdp")
    fsdp = Fsdp.model_validate(shared) if shared is not None else None
    processes = resources.get("processes", 1)
    on = device.rpartition("/")[2]
    return estimate(
        trainer,
        options.on(on),
        shape,
        longest,
        rewards,
        processes,
        fsdp,
        on,
        critic.parameters if critic is not None else 0,
    )


def refusal(
    need: Estimate,
    options: Options,
    processes: int,
    device: str,
    memory: int,
    kept: int = 0,
) -> str | None:
    """Why the job does not fit the device, less what is kept for scoring, with numbers and advice;
    None where it does. `memory` and `kept` are in bytes."""
    on, total = device.rpartition("/")[2], need.bytes * _on_one_device(device, processes)
    if total <= memory - kept:
        return None
    parts = sorted(need.parts.items(), key=lambda part: -part[1])
    listed = ", ".join(f"{name} {size / GB:.2f}" for name, size in parts)
    several = f" {processes} times" if _on_one_device(device, processes) > 1 else ""
    return (
        f"training would need about {total / GB:.1f} GB ({listed} GB{several}, with sequences of "
        f"{need.tokens} tokens), and {device} has {memory / GB:.1f} GB{_less(memory, kept)}. "
        f"What helps: {advice(need, options.on(on))}"
        f"{'; less kept for scoring (ASSAY_MODEL_MEMORY_BYTES, ASSAY_DEVICE_SHARING)' * bool(kept)}"
        "; or, where you know better, resources.ignore_memory_estimate"
    )


def report(
    need: Estimate, processes: int, device: str, memory: int | None, kept: int = 0
) -> Mapping[str, Any]:
    """The estimate as the job's report shows it; sizes in bytes."""
    return {
        "bytes": need.bytes * _on_one_device(device, processes),
        "parts": need.parts,
        "tokens": need.tokens,
        "device": device,
        "device_bytes": memory,
        "scoring_bytes": kept,
    }


def fits(context: Context, db: Connection, row: TrainingJob) -> bool:
    """The estimate goes into the job's report; a job that does not fit fails, unless it asks for
    the estimate to be ignored.

    The caller holds the row's lock. Where the model's files are not here yet, nothing is known,
    and nothing refused.
    """
    device = policy.register(db, context.settings, context.resources.device)
    trainer = trainers.find(row.method)
    options = trainers.parse(trainer, row.options)
    need = job_estimate(
        db,
        context.settings,
        trainer,
        options,
        row.model,
        row.dataset_id,
        row.resources,
        device.device,
    )
    if need is None:
        return True
    shown = report(need, row.processes, device.device, device.memory, device.kept)
    training.add_to_report(db, row.id, {"memory": shown})
    if device.memory is None:
        return True
    message = refusal(need, options, row.processes, device.device, device.memory, device.kept)
    if message is None or row.resources.get("ignore_memory_estimate"):
        return True
    error = {"code": "does_not_fit", "message": message, "param": "resources"}
    training.finish(db, row.id, "failed", {"error": error}, error)
    return False


def _less(memory: int, kept: int) -> str:
    """The part of the memory that is not training's, in words."""
    left = max(memory - kept, 0) / GB
    return f", of which {kept / GB:.1f} GB are kept for scoring: {left:.1f} GB are left" * bool(
        kept
    )


def _on_one_device(device: str, processes: int) -> int:
    """Processes on one device: GPUs have one each, the CPU has them all."""
    return 1 if "/cuda" in device else processes


def _shape(db: Connection, settings: Settings, name: str) -> Shape | None:
    """The model's shape; None where its files are not here, or cannot be read."""
    try:
        folder = models.weights(db, settings, name)
        return shape_of(folder) if folder is not None else None
    except (ReportedError, OSError, ValueError):  # whoever loads it says what is wrong
        return None


def _rewards(db: Connection, settings: Settings, options: Options) -> int:
    """Parameters of the models that are rewards."""
    rewards = options.rewards if isinstance(options, RewardedOptions) else ()
    names = set()
    for reward in rewards:
        names |= set(find(reward.metric, settings.metric_roots).bind(reward.params).models)
    shapes = [_shape(db, settings, name) for name in names]
    return sum(shape.parameters for shape in shapes if shape is not None)
