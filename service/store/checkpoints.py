"""Checkpoints: complete ones only, each with its evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from service.identifiers import new
from service.tables import checkpoints, evaluations, training_jobs


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


def set_evaluation(db: Connection, checkpoint: str, evaluation: str) -> None:
    db.execute(
        update(checkpoints).where(checkpoints.c.id == checkpoint).values(evaluation_id=evaluation)
    )


def get(db: Connection, checkpoint: str) -> Any | None:
    query = select(checkpoints).where(checkpoints.c.id == checkpoint)
    return db.execute(query).one_or_none()


def folder(db: Connection, checkpoint: str) -> str | None:
    """Where a checkpoint lies, unless it was deleted."""
    query = select(checkpoints.c.folder).where(
        checkpoints.c.id == checkpoint, checkpoints.c.deleted.is_(False)
    )
    return db.scalar(query)


def of_job(db: Connection, job: str) -> list[Any]:
    """A job's checkpoints by step, with the status of their evaluations."""
    query = (
        select(checkpoints, evaluations.c.status.label("evaluation_status"))
        .outerjoin(evaluations, evaluations.c.id == checkpoints.c.evaluation_id)
        .where(checkpoints.c.job_id == job)
        .order_by(checkpoints.c.step)
    )
    return list(db.execute(query))


def delete(db: Connection, ids: Sequence[str]) -> None:
    """Mark deleted: the files go after the commit, the scores stay."""
    db.execute(update(checkpoints).where(checkpoints.c.id.in_(list(ids))).values(deleted=True))


def job_of_evaluation(db: Connection, evaluation: str) -> str | None:
    """The training job that an evaluation was made for, if any."""
    found = db.scalar(select(checkpoints.c.job_id).where(checkpoints.c.evaluation_id == evaluation))
    if found is not None:
        return str(found)
    start = select(training_jobs.c.id).where(training_jobs.c.start_evaluation == evaluation)
    return db.scalar(start)
