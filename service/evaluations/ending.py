"""Whatever becomes of an evaluation, the training job it was made for is judged anew."""

from __future__ import annotations

from sqlalchemy import Connection

from service.jobs import queue
from service.training import checkpoints_store as checkpoints


def judge_later(db: Connection, evaluation: str) -> None:
    """Call it where an evaluation ends: succeeded, failed or cancelled, in that transaction."""
    job = checkpoints.job_of_evaluation(db, evaluation)
    if job is not None:
        queue.defer(db, "train.judge", job=job)
