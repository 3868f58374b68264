"""Which checkpoints of a job keep their files, and which the state of their optimiser."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from service.jobs.context import Context
from service.training import checkpoints_store as checkpoints
from service.training import store as training
from service.training.checkpoints_store import Checkpoint
from service.training.recovery import remove
from service.training.store import TrainingJob
from trainers.job.checkpoints import drop_state

RESUMABLE = 2  # checkpoints that keep their state: the last one may turn out to be broken


def retain(context: Context, job: str) -> None:
    """After a new checkpoint: delete files that the job does not ask to keep.

    Checkpoints of a job with an evaluation are deleted once that has told which is best
    (`selection`).
    """
    with context.engine.begin() as db:
        row = training.lock(db, job)
        if row is None:
            return
        known = checkpoints.of_job(db, job)
        gone = delete_outdated(db, row, known, row.best) if row.evaluation is None else []
    data_dir = context.settings.data_dir
    remove(one.path(data_dir) for one in gone)
    if not row.resources.get("keep_optimizer_states", False):
        there = [one for one in known if not one.deleted and one not in gone]
        for one in there[:-RESUMABLE]:
            drop_state(one.path(data_dir))


def delete_outdated(
    db: Connection, row: TrainingJob, known: Sequence[Checkpoint], best: str | None
) -> list[Checkpoint]:
    """Mark checkpoints deleted; returns those whose files to remove after the commit, those deleted
    before as well: their files may have outlived whoever was to remove them."""
    outdated = _outdated(db, row, known, best)
    checkpoints.delete(db, [one.id for one in outdated])
    return [one for one in known if one.deleted or one in outdated]


def _outdated(
    db: Connection, row: TrainingJob, known: Sequence[Checkpoint], best: str | None
) -> list[Checkpoint]:
    """All but the last n, the best, and those that something unfinished names: the evaluation of
    its own, another one, another job."""
    keep_last = (row.evaluation or {}).get("keep_last") or row.resources.get("keep_last")
    if keep_last is None:
        return []
    there = [one for one in known if not one.deleted]
    kept = {one.id for one in there[-keep_last:]} | {best, row.best}
    spare = [one for one in there if one.id not in kept]
    needed = checkpoints.needed(db, [one.id for one in spare]) if spare else set()
    return [one for one in spare if one.id not in needed]
