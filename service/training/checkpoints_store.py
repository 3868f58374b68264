"""Checkpoints: complete ones only, each with its evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Text, cast, select, update
from sqlalchemy.dialects.postgresql import insert

from service.db.identifiers import new
from service.db.tables import checkpoints, evaluation_metrics, evaluations, training_jobs


def add(db: Connection, job: str, step: int, attempt: int, folder: str, digest: str) -> str | None:
    """The new checkpoint's id; None when this step of the job has one already."""
    made: str | None = db.scalar(
        insert(checkpoints)
        .values(
            id=new("ckpt"), job_id=job, step=step, attempt=attempt, folder=folder, digest=digest
        )
        .on_conflict_do_nothing()
        .returning(checkpoints.c.id)
    )
    return made


def replace(db: Connection, job: str, step: int, attempt: int, folder: str, digest: str) -> Any:
    """A step trained again because its checkpoint was broken: the new files under the old id.
    Returns the row as it was, with the status of its evaluation."""
    (known,) = [one for one in of_job(db, job) if one.step == step]
    changed = {"attempt": attempt, "folder": folder, "digest": digest, "deleted": False}
    db.execute(update(checkpoints).where(checkpoints.c.id == known.id).values(changed))
    return known


def set_evaluation(db: Connection, checkpoint: str, evaluation: str) -> None:
    db.execute(
        update(checkpoints).where(checkpoints.c.id == checkpoint).values(evaluation_id=evaluation)
    )


def get(db: Connection, checkpoint: str) -> Any | None:
    """The row, with the status of its evaluation."""
    return db.execute(_listing().where(checkpoints.c.id == checkpoint)).one_or_none()


def folder(db: Connection, checkpoint: str) -> str | None:
    """Where a checkpoint lies, unless it was deleted."""
    query = select(checkpoints.c.folder).where(
        checkpoints.c.id == checkpoint, checkpoints.c.deleted.is_(False)
    )
    return db.scalar(query)


def of_job(db: Connection, job: str) -> list[Any]:
    """A job's checkpoints by step, with the status of their evaluations."""
    query = _listing().where(checkpoints.c.job_id == job).order_by(checkpoints.c.step)
    return list(db.execute(query))


def merged(folder: Path) -> Path:
    """Where an adapter's checkpoint has the merged model, once somebody asked for it."""
    return folder / "merged"


def wanted(db: Connection, ids: Sequence[str]) -> set[str]:
    """Which of these an unfinished evaluation or training job names, as its model or a metric's."""
    open_evaluations = evaluations.c.status.in_(("queued", "running"))
    open_jobs = training_jobs.c.status.in_(("queued", "running", "paused"))
    measured = evaluation_metrics.join(
        evaluations, evaluations.c.id == evaluation_metrics.c.evaluation_id
    )
    texts = [
        *db.scalars(select(evaluations.c.model).where(open_evaluations)),
        *db.scalars(
            select(cast(evaluation_metrics.c.params, Text))
            .select_from(measured)
            .where(open_evaluations)
        ),
        *db.scalars(select(training_jobs.c.model).where(open_jobs)),
        *db.scalars(select(cast(training_jobs.c.options, Text)).where(open_jobs)),
    ]
    return {one for one in ids if any(text is not None and one in text for text in texts)}


def delete(db: Connection, ids: Sequence[str]) -> None:
    """Mark deleted: the files go after the commit, the scores stay."""
    db.execute(update(checkpoints).where(checkpoints.c.id.in_(list(ids))).values(deleted=True))


def _listing() -> Any:
    return select(
        checkpoints,
        evaluations.c.status.label("evaluation_status"),
        evaluations.c.error.label("evaluation_error"),
    ).outerjoin(evaluations, evaluations.c.id == checkpoints.c.evaluation_id)
