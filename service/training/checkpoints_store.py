"""Checkpoints: complete ones only, each with its evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ARRAY, Connection, Select, Text, cast, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.db.identifiers import new
from service.db.reward_tables import rewards
from service.db.stored import Stored
from service.db.tables import checkpoints, evaluations, training_jobs


@dataclass(frozen=True, slots=True)
class Checkpoint(Stored):
    """A complete checkpoint, with the status and error of its evaluation.

    folder          where its files lie, on the machine that trained, unless they are `deleted`;
                    below the data folder, which may be moved
    attempt         the job's attempt that wrote them
    failure_told    the evaluation whose failure is among the job's events
    reward_hacking  whether it was found there
    merge_error     why the last attempt to merge it into its base model failed
    """

    id: str
    job_id: str
    step: int
    attempt: int
    folder: str
    digest: str
    deleted: bool
    evaluation_id: str | None
    evaluation_status: str | None
    evaluation_error: Mapping[str, Any] | None
    failure_told: str | None
    reward_hacking: bool
    merge_error: str | None
    created_at: datetime

    def path(self, data_dir: Path) -> Path:
        """The folder."""
        return data_dir / self.folder


def below(data_dir: Path, folder: Path) -> str:
    """A checkpoint's folder as it is stored; the data folder may be moved."""
    return str(folder.relative_to(data_dir) if folder.is_relative_to(data_dir) else folder)


def add(db: Connection, job: str, step: int, attempt: int, folder: str, digest: str) -> str | None:
    """The new checkpoint's id; None when this step of the job has one already."""
    id: str | None = db.scalar(
        insert(checkpoints)
        .values(
            id=new("ckpt"), job_id=job, step=step, attempt=attempt, folder=folder, digest=digest
        )
        .on_conflict_do_nothing()
        .returning(checkpoints.c.id)
    )
    return id


def replace(
    db: Connection, job: str, step: int, attempt: int, folder: str, digest: str
) -> Checkpoint:
    """A step trained again because its checkpoint was broken: the new files under the old id.
    Returns the checkpoint as it was."""
    (known,) = [one for one in of_job(db, job) if one.step == step]
    change(db, known.id, attempt=attempt, folder=folder, digest=digest, deleted=False)
    return known


def change(db: Connection, checkpoint: str, **values: object) -> None:
    """Set columns of the checkpoint. The caller holds its job's lock."""
    db.execute(update(checkpoints).where(checkpoints.c.id == checkpoint).values(**values))


def get(db: Connection, checkpoint: str) -> Checkpoint | None:
    """The checkpoint; None where there is none."""
    row = db.execute(_listing().where(checkpoints.c.id == checkpoint)).one_or_none()
    return Checkpoint.from_row(row) if row is not None else None


def of_job(db: Connection, job: str) -> list[Checkpoint]:
    """A job's checkpoints by step."""
    query = _listing().where(checkpoints.c.job_id == job).order_by(checkpoints.c.step)
    return [Checkpoint.from_row(row) for row in db.execute(query)]


def last_step(db: Connection, job: str) -> int:
    """The step of the job's last checkpoint; 0 without one."""
    query = select(func.max(checkpoints.c.step)).where(checkpoints.c.job_id == job)
    return db.scalar(query) or 0


def merged(folder: Path) -> Path:
    """Where an adapter's checkpoint has the merged model, once somebody asked for it."""
    return folder / "merged"


def needed(db: Connection, ids: Sequence[str]) -> set[str]:
    """Which of these an unfinished evaluation or training job names, as its model or a metric's,
    or a stored reward."""
    among = cast(list(ids), ARRAY(Text))
    stored = select(func.unnest(rewards.c.models)).where(rewards.c.models.overlap(among))
    named = set(db.scalars(stored))
    for table, unfinished in [
        (evaluations, ("queued", "running")),
        (training_jobs, ("queued", "running", "paused")),
    ]:
        query = select(func.unnest(table.c.models)).where(
            table.c.status.in_(unfinished),
            table.c.models.overlap(among),
        )
        named |= set(db.scalars(query))
    return named & set(ids)


def delete(db: Connection, ids: Sequence[str]) -> None:
    """Mark deleted: the files go after the commit, the scores stay."""
    db.execute(update(checkpoints).where(checkpoints.c.id.in_(list(ids))).values(deleted=True))


def _listing() -> Select[Any]:
    return select(
        checkpoints,
        evaluations.c.status.label("evaluation_status"),
        evaluations.c.error.label("evaluation_error"),
    ).outerjoin(evaluations, evaluations.c.id == checkpoints.c.evaluation_id)
