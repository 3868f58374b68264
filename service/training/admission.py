"""What `POST /v1/training_jobs` lets in: checked against dataset, rewards and memory, stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

import trainers
from inference.errors import ReportedError
from metrics import find
from metrics.core.errors import UnknownMetric
from metrics.core.metric import Sample
from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.db import events
from service.devices import store as devices
from service.errors import invalid, of_metric, within
from service.evaluations.checks import (
    RequestedMetric,
    bound_metrics,
    check_ceilings,
    check_prompts,
    check_samples,
    evaluable,
)
from service.evaluations.plans import MetricRequest, models_of
from service.jobs import queue
from service.models import store as models
from service.settings import Settings
from service.training import memory
from service.training import store as training
from service.training.overlap import overlap
from service.training.schemas import HeldOutIn, TrainingIn, ValidationIn
from trainers.job.declaration import AnyTrainer
from trainers.job.fsdp import refusal as unshardable
from trainers.job.options import Options, RewardedOptions


def admit(db: Connection, body: TrainingIn, settings: Settings) -> str:
    """Check everything, store everything, defer the job; returns its id."""
    try:
        trainer = trainers.find(body.method)
        options = trainers.parse(trainer, body.options)
    except ReportedError as error:
        raise invalid(error.code, error.message, error.field) from None
    unable = unshardable(trainer, options, body.resources.processes, body.resources.fsdp)
    if unable is not None:
        field, reason = unable
        raise invalid("unsupported", reason, field)
    models.require(db, settings, body.model, "model")
    dataset = datasets.require(db, body.dataset, "dataset")
    _of_kind(trainer, dataset, "dataset")
    _known_rewards(db, settings, trainer, options, dataset.id)
    need = _admitted(db, settings, trainer, options, body, dataset.id)
    held_out = _held_out(db, body.evaluation, settings)
    validation = _validation(db, trainer, body.validation)
    id = training.create(
        db,
        method=trainer.name,
        model=body.model,
        models=_models(settings, body, options),
        dataset_id=dataset.id,
        options=options.model_dump(mode="json"),
        evaluation=held_out,
        validation=validation,
        resources=body.resources.model_dump(mode="json"),
        name=body.name,
        metadata=body.metadata,
    )
    if need is not None:
        training.change(db, id, report={"memory": dict(need)})
    if held_out is not None:
        _tell_overlap(db, id, dataset, held_out["dataset_id"], "overlap")
    if validation is not None:
        _tell_overlap(db, id, dataset, validation["dataset_id"], "validation_overlap")
    queue.defer(db, "train.run", queue="train", job=id)
    return id


def _models(settings: Settings, body: TrainingIn, options: Options) -> list[str]:
    """Names of all models that the job and its evaluations load."""
    rewards = options.rewards if isinstance(options, RewardedOptions) else ()
    measured = body.evaluation.metrics if body.evaluation is not None else []
    requests = [MetricRequest(one.metric, one.params) for one in rewards]
    requests += [MetricRequest(one.name, one.params) for one in measured]
    return sorted({body.model, *models_of(requests, settings.metric_roots)})


def _admitted(
    db: Connection,
    settings: Settings,
    trainer: AnyTrainer,
    options: Options,
    body: TrainingIn,
    dataset_id: str,
) -> Mapping[str, Any] | None:
    """What it needs, for the report. Raises 422 where no device that is known could hold it."""
    resources = body.resources.model_dump()
    need = memory.job_estimate(db, settings, trainer, options, body.model, dataset_id, resources)
    device = devices.largest(db)
    if need is None or device is None:
        return None
    holds = (device.name, device.memory_bytes, device.scoring_bytes)
    processes = body.resources.processes
    refused = memory.refusal(need, options, processes, *holds)
    if refused is not None and not body.resources.ignore_memory_estimate:
        raise invalid("does_not_fit", refused, "resources")
    return memory.report(need, processes, *holds)


def _tell_overlap(db: Connection, job: str, trained: Dataset, held_out: str, name: str) -> None:
    """Held-out samples that are trained on go into the report; if there are any, an event, too."""
    found = overlap(db, trained, datasets.require(db, held_out))
    training.add_to_report(db, job, {name: found})
    if found["shared"]:
        events.append(db, job, name, found)


def _validation(
    db: Connection, trainer: AnyTrainer, asked: ValidationIn | None
) -> dict[str, Any] | None:
    """The validation block as it is stored: the dataset by id, so that its version is fixed."""
    if asked is None:
        return None
    if not trainer.validates:
        message = f"{trainer.name} has no loss of held-out rows; give an evaluation instead"
        raise invalid("unsupported", message, "validation")
    dataset = datasets.require(db, asked.dataset, "validation.dataset")
    _of_kind(trainer, dataset, "validation.dataset")
    return asked.model_dump(mode="json") | {"dataset_id": dataset.id}


def _of_kind(trainer: AnyTrainer, dataset: Dataset, field: str) -> None:
    if dataset.kind not in trainer.kinds:
        message = f"{trainer.name} trains on {trainer.kind}; {dataset.name!r} holds {dataset.kind}"
        raise invalid("wrong_kind", message, field)


def _known_rewards(
    db: Connection, settings: Settings, trainer: AnyTrainer, options: Options, dataset_id: str
) -> None:
    """Rewards have to be metrics with a per-sample value that the records can feed."""
    rewards = options.rewards if isinstance(options, RewardedOptions) else ()
    for index, reward in enumerate(rewards):
        at = f"options.rewards[{index}]"
        try:
            metric = find(reward.metric, settings.metric_roots).bind(reward.params)
        except UnknownMetric as error:
            raise invalid(error.code, error.message, f"{at}.metric") from None
        except ReportedError as error:
            raise of_metric(error, at) from None
        check_ceilings(metric, settings, at)
        if metric.set_level:
            message = f"{metric.name} is of a set: no sample has a value that could be a reward"
            raise invalid("no_reward", message, f"{at}.metric")
        if reward.name is not None and reward.name not in metric.score_names:
            names = ", ".join(metric.score_names)
            message = f"{metric.name} has no score {reward.name!r}; it has {names}"
            raise invalid("unknown_score", message, f"{at}.name")
        for name in metric.models:
            models.require(db, settings, name, f"{at}.params.model")
        asked = RequestedMetric(metric, MetricRequest(reward.metric, reward.params))
        check_samples([asked], _with_outputs(db, dataset_id), "records")


def _with_outputs(db: Connection, dataset_id: str) -> list[Sample]:
    """The records, each with an output still to come."""
    return [Sample.of(record, [""]) for record in datasets.read_records(db, dataset_id)]


def _held_out(db: Connection, asked: HeldOutIn | None, settings: Settings) -> dict[str, Any] | None:
    """The evaluation block as it is stored: the dataset by id, so that its version is fixed."""
    if asked is None:
        return None
    with within("evaluation"):
        metrics = bound_metrics(db, settings, asked.metrics)
        dataset = evaluable(db, asked.dataset, "dataset")
        samples = _with_outputs(db, dataset.id)
        check_prompts(samples, "records")
        check_samples(metrics, samples, "records")
    names = [name for one in metrics for name in one.metric.score_names]
    watch = asked.watch if asked.watch is not None else [asked.select_by] * bool(asked.select_by)
    for at, name in [("select_by", asked.select_by), *(("watch", one) for one in watch)]:
        if name is not None and name not in names:
            message = f"no metric of the evaluation has a score {name!r}: {', '.join(names)}"
            raise invalid("unknown_score", message, f"evaluation.{at}")
    if asked.patience is not None and asked.select_by is None:
        message = "select_by says by which score a checkpoint is better; there is none"
        raise invalid("missing_score", message, "evaluation.patience")
    stored = asked.model_dump(mode="json")
    stored["metrics"] = [dataclasses.asdict(one.request) for one in metrics]
    return stored | {"dataset_id": dataset.id, "watch": watch}
