"""Evaluations of a training job: of the starting model, and of every complete checkpoint.

A language model is evaluated by what it generates. A reward model generates nothing: its metric
runs it on pairs, whose better answers are the evaluation's outputs. Its start has a random head,
unless it is a checkpoint of such a job, and is not evaluated.

They are ordinary evaluations, made in the transaction that stores the checkpoint, so there is
exactly one each, whatever dies. Whichever worker is free measures them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

import trainers
from metrics.core.alignment import Grouping
from service.datasets import store as datasets
from service.evaluations import outputs
from service.evaluations import store as evaluations
from service.evaluations.plans import MetricRequest, models_of
from service.evaluations.store import Task
from service.jobs import queue
from service.leaderboards.scopes import clustered
from service.settings import Settings
from service.training import checkpoints_store as checkpoints
from service.training import store as training
from service.training.store import TrainingJob


def score_start(db: Connection, settings: Settings, job: TrainingJob) -> str | None:
    """The evaluation of the model that the job starts from; made once a job."""
    if job.evaluation is None or job.start_evaluation is not None:
        return None
    if trainers.find(job.method).held_out and not _is_reward_model(db, job.model):
        return None
    evaluation = _evaluate(db, settings, job, job.evaluation, job.model, "start")
    training.change(db, job.id, start_evaluation=evaluation, start_failure_told=False)
    return evaluation


def score_checkpoint(
    db: Connection, settings: Settings, job: TrainingJob, checkpoint: str, step: int
) -> str | None:
    """The evaluation of a new checkpoint; None when the job asks for none."""
    if job.evaluation is None:
        return None
    evaluation = _evaluate(db, settings, job, job.evaluation, checkpoint, str(step))
    checkpoints.change(db, checkpoint, evaluation_id=evaluation)
    return evaluation


def grouping(db: Connection, job: TrainingJob) -> Grouping | None:
    """Samples that belong together, in tests as in intervals; None: each is by itself."""
    asked = job.evaluation or {}
    field = asked.get("cluster")
    return clustered(db, [asked["dataset_id"]], field) if field is not None else None


def _evaluate(
    db: Connection,
    settings: Settings,
    job: TrainingJob,
    asked: Mapping[str, Any],
    model: str,
    place: str,
) -> str:
    dataset = datasets.find(db, asked["dataset_id"])
    if dataset is None:
        raise LookupError(f"the evaluation's dataset {asked['dataset_id']} is gone")
    on_pairs = bool(trainers.find(job.method).held_out)
    own = {"model": model} if on_pairs else {}
    metrics = [MetricRequest(one["name"], one["params"] | own) for one in asked["metrics"]]
    evaluation = evaluations.create(
        db,
        system=f"{job.id}/{place}",
        dataset_id=dataset.id,
        size=dataset.size,
        metrics=metrics,
        model=None if on_pairs else model,
        models=sorted(models_of(metrics, settings.metric_roots)),
        generation=None if on_pairs else _generation(job, asked["generation"]),
        slices=[],
        cluster=asked.get("cluster"),
        protocol=asked.get("protocol"),
        protocol_digest=asked.get("protocol_digest"),
        seed=0,
        replicates=settings.replicates,
        level=settings.level,
        on_end=Task("train.select", {"job": job.id}),
    )
    if on_pairs:
        pairs = enumerate(datasets.read_records(db, dataset.id))
        outputs.add(db, evaluation, ((index, [pair["chosen"]]) for index, pair in pairs))
    queue.defer(db, "evaluate.plan", evaluation=evaluation)
    return evaluation


def _generation(job: TrainingJob, asked: Mapping[str, Any]) -> dict[str, Any]:
    """With the variables of the chat template that the job sets: its checkpoints have them in their
    templates, the model that it starts from does not. The evaluation's own go first."""
    generation = dict(asked)
    variables = job.options.get("chat_template_kwargs") or {}
    if variables and generation.get("chat") is not False:
        generation["chat_template_kwargs"] = variables | generation.get("chat_template_kwargs", {})
    return generation


def _is_reward_model(db: Connection, model: str) -> bool:
    """Whether it is a checkpoint of a job that made a reward model."""
    checkpoint = checkpoints.get(db, model)
    made_by = training.get(db, checkpoint.job_id) if checkpoint is not None else None
    return made_by is not None and bool(trainers.find(made_by.method).held_out)
