"""Evaluations of a training job: of the starting model, and of every complete checkpoint.

They are ordinary evaluations, made in the transaction that stores the checkpoint, so there is
exactly one each, whatever dies. Whichever worker is free measures them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from service.datasets import store as datasets
from service.evaluations import store as evaluations
from service.evaluations.store import MetricRequest, Task
from service.jobs import queue
from service.settings import Settings
from service.training import checkpoints_store as checkpoints
from service.training import store as training


def score_start(db: Connection, settings: Settings, job: Any) -> str | None:
    """The evaluation of the model that the job starts from; made once a job."""
    if job.evaluation is None or job.start_evaluation is not None:
        return None
    made = _evaluate(db, settings, job, job.model, f"{job.id}/start")
    training.change(db, job.id, start_evaluation=made)
    return made


def score_checkpoint(
    db: Connection, settings: Settings, job: Any, checkpoint: str, step: int
) -> str | None:
    """The evaluation of a new checkpoint; None when the job asks for none."""
    if job.evaluation is None:
        return None
    made = _evaluate(db, settings, job, checkpoint, f"{job.id}/{step}")
    checkpoints.set_evaluation(db, checkpoint, made)
    return made


def _evaluate(db: Connection, settings: Settings, job: Any, model: str, system: str) -> str:
    asked = job.evaluation
    dataset = datasets.find(db, asked["dataset_id"])
    if dataset is None:
        raise LookupError(f"the evaluation's dataset {asked['dataset_id']} is gone")
    made = evaluations.create(
        db,
        system=system,
        dataset_id=dataset.id,
        size=dataset.size,
        metrics=[MetricRequest(one["name"], one["params"]) for one in asked["metrics"]],
        model=model,
        generation=asked["generation"],
        slices=[],
        seed=0,
        replicates=settings.replicates,
        level=settings.level,
        on_end=Task("train.select", {"job": job.id}),
    )
    queue.defer(db, "evaluate.plan", evaluation=made)
    return made
