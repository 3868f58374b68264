"""Training jobs and their checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from assay.endpoints.waiting import until
from assay.exchange import Script, ask, create, get, post
from assay.files import OnProgress
from assay.models import Page, Progress
from assay.streams import Download, EventStream, Listing
from assay.training_models import (
    Checkpoint,
    CheckpointCard,
    TrainingJob,
    TrainingLogs,
    TrainingMetrics,
    TrainingPreview,
)

ROOT = "/v1/training_jobs"
PREVIEWED = 150.0  # seconds within which a worker reads the records, or the service gives up
MERGED = 300.0  # seconds within which a worker merges an adapter, or the service says that none has


def train(
    *,
    method: str,
    model: str,
    dataset: str,
    options: Mapping[str, object] | None = None,
    evaluation: Mapping[str, object] | None = None,
    validation: Mapping[str, object] | None = None,
    resources: Mapping[str, object] | None = None,
    name: str | None = None,
    metadata: Mapping[str, object] | None = None,
    idempotency_key: str | None = None,
) -> Script[TrainingJob]:
    """Queue a training job.

    Args:
        method: `sft`, `reward`, `dpo`, `kto`, `grpo`, `ppo`; see `trainers`.
        options: the method's own; see `trainer`.
        evaluation: how the starting model and every checkpoint are scored: `dataset`, `metrics`,
            `generation`, `cluster`, `select_by`, `watch`, `keep_last`, `patience`.
        validation: held-out rows whose loss is measured: `dataset`, `eval_steps`.
        resources: `processes`, `fsdp`, `keep_last`, `keep_optimizer_states`,
            `ignore_memory_estimate`.
        name: for people; need not be unique.
        metadata: values by key, to find jobs by.
        idempotency_key: the same key and request again is the same job.
    """
    body = _job(method, model, dataset, options, evaluation, validation, resources)
    more = {"name": name, "metadata": metadata}
    body |= {key: value for key, value in more.items() if value is not None}
    return ask(create(ROOT, body, idempotency_key), TrainingJob)


def preview_training(
    *,
    method: str,
    model: str,
    dataset: str,
    options: Mapping[str, object] | None = None,
    evaluation: Mapping[str, object] | None = None,
    validation: Mapping[str, object] | None = None,
    resources: Mapping[str, object] | None = None,
) -> Script[TrainingPreview]:
    """What a training job would be, given what `train` takes; nothing is created."""
    body = _job(method, model, dataset, options, evaluation, validation, resources)
    request = post(f"{ROOT}?dry_run=true", body=body, patience=PREVIEWED)
    return ask(request, TrainingPreview)


def _job(
    method: str,
    model: str,
    dataset: str,
    options: Mapping[str, object] | None,
    evaluation: Mapping[str, object] | None,
    validation: Mapping[str, object] | None,
    resources: Mapping[str, object] | None,
) -> dict[str, object]:
    fields = {
        "method": method,
        "model": model,
        "dataset": dataset,
        "options": options,
        "evaluation": evaluation,
        "validation": validation,
        "resources": resources,
    }
    return {name: value for name, value in fields.items() if value is not None}


def training_job(job: str) -> Script[TrainingJob]:
    """The job as it is now."""
    return ask(get(ROOT, job), TrainingJob)


def training_jobs(
    *,
    status: str | None = None,
    name: str | None = None,
    method: str | None = None,
    metadata: Mapping[str, object] | str | None = None,
    order: str = "desc",
    limit: int | None = None,
) -> Listing[TrainingJob]:
    """Training jobs, newest first; `metadata` is what they have: `key=value`, or values by key."""
    pairs = [metadata] if isinstance(metadata, str) else list(map(_pair, (metadata or {}).items()))
    query: dict[str, str | list[str] | None] = {"status": status, "order": order}
    query |= {"name": name, "method": method, "metadata": pairs}
    return Listing(Page[TrainingJob], ROOT, query=query, limit=limit)


def _pair(item: tuple[str, object]) -> str:
    """`key=value`, the value as the service compares it: as JSON, strings as they are."""
    key, value = item
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def wait_training_job(
    job: str, timeout: float = 24 * 3600.0, progress: OnProgress | None = None
) -> Script[TrainingJob]:
    """The job once it has ended or is paused.

    Args:
        timeout: in seconds.
        progress: called about three times a second with the steps done so far; their total is 0
            until the job has counted them.

    Raises:
        WaitTimedOut: It has not ended within the timeout.
    """

    def report(current: TrainingJob) -> None:
        if progress is not None:
            progress(Progress(done=current.step, total=current.total_steps or 0))

    return until(
        ROOT,
        job,
        TrainingJob,
        ended=lambda current: current.finished or current.status == "paused",
        timeout=timeout,
        report=report,
    )


def pause_training_job(job: str) -> Script[TrainingJob]:
    """Stop a job for now, within a step and with a checkpoint."""
    return ask(post(ROOT, job, "pause"), TrainingJob)


def resume_training_job(
    job: str,
    max_steps: int | None = None,
    processes: int | None = None,
    budget: Mapping[str, float] | None = None,
) -> Script[TrainingJob]:
    """Go on with a paused, failed or cancelled job, from its last checkpoint.

    Args:
        max_steps: of the whole job, those done included; also for a job that has succeeded.
        processes: from here on; as many as before by default.
        budget: the most that rewards behind URLs may take in all of the job: requests, tokens,
            cost.
    """
    fields = {"max_steps": max_steps, "processes": processes, "budget": budget}
    body = {name: value for name, value in fields.items() if value is not None} or None
    # the second is refused
    return ask(post(ROOT, job, "resume", body=body, repeatable=False), TrainingJob)


def cancel_training_job(job: str) -> Script[TrainingJob]:
    """Stop a job for good, within a step and with a checkpoint."""
    return ask(post(ROOT, job, "cancel"), TrainingJob)


def training_metrics(job: str) -> Script[TrainingMetrics]:
    """What was logged (loss, reward, KL, …), as series over steps."""
    return ask(get(ROOT, job, "metrics"), TrainingMetrics)


def training_logs(
    job: str, attempt: int | None = None, limit: int | None = None
) -> Script[TrainingLogs]:
    """The end of what the job's process printed, up to `limit` characters.

    Args:
        attempt: from 1; the last one by default.
    """
    query = {"attempt": attempt, "limit": limit}
    return ask(get(ROOT, job, "logs", query=query), TrainingLogs)


def training_events(job: str, after: int = 0) -> EventStream:
    """A job's events after number `after`, as they happen, until it ends."""
    return EventStream(ROOT, job, "events", after=after)


def checkpoints(job: str) -> Script[list[Checkpoint]]:
    """The starting model and all checkpoints by step, scored and tested against the start."""
    return (yield from ask(get(ROOT, job, "checkpoints"), Page[Checkpoint])).data


def checkpoint(checkpoint: str) -> Script[CheckpointCard]:
    """One checkpoint with its card."""
    return ask(get("/v1/checkpoints", checkpoint), CheckpointCard)


def download_checkpoint(
    checkpoint: str,
    folder: str | Path,
    form: Literal["adapter", "merged"] = "adapter",
    *,
    progress: OnProgress | None = None,
) -> Download:
    """A checkpoint's files (safetensors, configuration, tokenizer, card) in a new folder.

    Args:
        folder: must not exist, or be empty; it appears when all files have come.
        form: `adapter`, or `merged` for all weights: a worker merges them first, if need be.
        progress: called with the bytes received so far.

    Raises:
        FileExistsError: The folder holds something.
    """
    patience = MERGED if form == "merged" else 0.0
    query = {"form": form}
    request = get("/v1/checkpoints", checkpoint, "download", query=query, patience=patience)
    return Download(request, folder, progress)
