"""POST /v1/training_jobs?dry_run=true: what a job would be, without the job."""

from __future__ import annotations

from sqlalchemy import Connection

from service.db import worker_requests
from service.http.gate import Gate
from service.http.waiting import answer_to
from service.jobs import queue
from service.settings import Settings
from service.training.admission import check
from service.training.schemas import TrainingIn, TrainingPreviewOut

WAIT = 120.0  # seconds


async def preview(gate: Gate, settings: Settings, body: TrainingIn) -> TrainingPreviewOut:
    """Checked as a job is; a worker reads the records. Raises 422 for what would be refused, and
    503 where no worker answers."""
    shown, request = await gate.run(lambda db: _begin(db, settings, body))
    if request is None:
        return shown
    found = await answer_to(gate, request, WAIT)
    lengths = found["told"].get("lengths")
    return shown.model_copy(
        update={
            "lengths": lengths,
            "validation_lengths": found["told"].get("validation_lengths"),
            "cut": lengths["over"] / lengths["rows"] if lengths else None,
            "example": found["example"],
            "problem": found["problem"],
        }
    )


def _begin(
    db: Connection, settings: Settings, body: TrainingIn
) -> tuple[TrainingPreviewOut, str | None]:
    """What is known at once, and the request for the rest; None where the method has none."""
    checked = check(db, body, settings)
    size, processes = checked.dataset.size, body.resources.processes
    shown = TrainingPreviewOut(
        records=size,
        total_steps=checked.trainer.steps(checked.options, size, processes),
        memory=dict(checked.memory) if checked.memory is not None else None,
    )
    if not checked.trainer.previews:
        return shown, None
    request = worker_requests.add(db, "preview", checked.values)
    queue.defer(db, "train.preview", queue="now", preview_id=request)
    return shown, request
