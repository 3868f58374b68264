"""What a training process reports, stored: series, events, checkpoints and their evaluations.

Only while the job's row carries the attempt's number: a worker that was taken for dead writes
nothing any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from inference.remote.registered import Registered
from service.db import events
from service.jobs import queue
from service.jobs.context import Context
from service.training import checkpoints_store as checkpoints
from service.training import store as training
from service.training.held_out import score_checkpoint
from service.training.placement import Lease
from service.training.recovery import OrphanedCheckpoint, remove_outlived
from service.training.retention import retain
from service.training.store import TrainingJob
from trainers.job.reports import Report, by_step
from trainers.job.spec import Spec


class TakenOverError(Exception):
    """The job's row carries another attempt's number, or is over."""


@dataclass(slots=True)
class Attempt:
    """One process of one job."""

    job: str
    number: int
    folder: Path
    spec: Spec
    start: int = 0  # the step it goes on from
    status: int = 0  # of the process, once it has ended; negative: the signal
    lease: Lease | None = None  # of its devices
    registered: Sequence[Registered] = ()  # models behind URLs that its rewards ask
    stalled: bool = False  # asked to stop it did nothing any more, and was killed


def store(context: Context, attempt: Attempt, reports: Sequence[Report]) -> Report | None:
    """Write the reports; returns the last word of the process, if it is among them."""
    if not reports:
        return None
    series = by_step(reports)
    with context.engine.begin() as db:
        row = training.lock_attempt(db, attempt.job, attempt.number)
        if row is None:
            raise TakenOverError
        training.add_series(db, attempt.job, series)
        for report in reports:
            if report.type == "event":
                _note(db, row, report)
            elif report.type == "checkpoint" and report.data.get("due", True):
                folder, digest = Path(report.data["folder"]), str(report.data["digest"])
                _keep(db, context, row, report.step, folder, digest)
    if any(report.type == "checkpoint" for report in reports):
        remove_outlived(attempt.spec.resume)
        retain(context, attempt.job)
    ends = [one for one in reports if one.type in {"finished", "stopped", "failed"}]
    return ends[-1] if ends else None


def adopt(
    db: Connection, context: Context, row: TrainingJob, left: Sequence[OrphanedCheckpoint]
) -> None:
    """Record what the last attempt left on the disk, with the series up to there: its supervisor
    died first. The caller holds the lock, and `row` still carries that attempt's number."""
    for one in left:
        training.add_series(db, row.id, one.series)
        if one.due:
            _keep(db, context, row, one.step, one.folder, one.digest)


def _note(db: Connection, row: TrainingJob, report: Report) -> None:
    """An event; what describes the job as a whole goes into its report, too."""
    if report.name in {"lengths", "validation_lengths", "plan", "memory", "versions"}:
        training.add_to_report(db, row.id, {report.name: report.data})
        if report.name == "plan":
            training.change(db, row.id, total_steps=report.data.get("total_steps"))
    events.append(db, row.id, report.name, report.data | {"step": report.step})


def _keep(
    db: Connection, context: Context, row: TrainingJob, step: int, place: Path, digest: str
) -> None:
    """A checkpoint with its evaluation, both made at once, so that there is one of each."""
    folder = checkpoints.below(context.settings.data_dir, place)
    checkpoint = checkpoints.add(db, row.id, step, row.attempt, folder, digest)
    if checkpoint is None:
        known = checkpoints.replace(db, row.id, step, row.attempt, folder, digest)
        if known.digest == digest and known.evaluation_status != "failed":
            return
        checkpoint = known.id
    evaluation = score_checkpoint(db, context.settings, row, checkpoint, step)
    queue.reset_attempts(db, context.task)
    told = {"checkpoint": checkpoint, "step": step, "evaluation": evaluation}
    events.append(db, row.id, "checkpoint", told)
