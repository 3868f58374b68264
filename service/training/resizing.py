"""Another number of processes for a stopped job, which goes on from its last checkpoint.

An optimiser step learns from as many samples as before: with half the processes,
`gradient_accumulation_steps` doubles.
"""

from __future__ import annotations

from sqlalchemy import Connection

import trainers
from inference.errors import ReportedError
from service.db import events
from service.errors import invalid
from service.training import store as training
from service.training.store import TrainingJob
from trainers.job.fsdp import Fsdp
from trainers.job.fsdp import refusal as unshardable

FIELD = "processes"


def resize(db: Connection, row: TrainingJob, processes: int | None) -> None:
    """Change the job; the caller holds its lock. None, or as many as before: nothing changes.

    Raises ApiError(422) where the job could not go on as it was.
    """
    if processes is None or processes == row.processes:
        return
    trainer = trainers.find(row.method)
    if not trainer.resizes:
        reason = "its completions in use are each process's own"
        message = f"{row.method} goes on with {row.processes} processes alone: {reason}"
        raise invalid("unsupported", message, FIELD)
    before = trainers.parse(trainer, row.options).gradient_accumulation_steps
    passes = before * row.processes
    if passes % processes:
        message = (
            f"{processes} processes cannot share the {passes} passes of an optimiser step "
            f"(processes {row.processes} · gradient_accumulation_steps {before}): ask for a divisor"
        )
        raise invalid("unsupported", message, FIELD)
    changed = {**row.options, "gradient_accumulation_steps": passes // processes}
    try:
        options = trainers.parse(trainer, changed)
    except ReportedError as error:
        raise invalid("unsupported", error.message, FIELD) from None
    shared = row.resources.get("fsdp")
    fsdp = Fsdp.model_validate(shared) if shared is not None else None
    unable = unshardable(trainer, options, processes, fsdp)
    if unable is not None:
        raise invalid("unsupported", unable[1], FIELD)
    resources = {**row.resources, "processes": processes}
    training.change(db, row.id, options=changed, resources=resources)
    told = {"processes": processes, "gradient_accumulation_steps": passes // processes}
    events.append(db, row.id, "resized", told)
