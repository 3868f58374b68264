"""What `POST /v1/training_jobs` lets in: checked against dataset, rewards and memory, stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

import trainers
from inference.errors import ReportedError
from metrics.core.clustered import PROMPT
from metrics.core.metric import Sample
from service.datasets import store as datasets
from service.datasets.repeated import asks_again
from service.datasets.store import Dataset
from service.devices import store as devices
from service.errors import invalid, within
from service.evaluations import protocols
from service.evaluations.checks import (
    RequestedMetric,
    bound_metrics,
    check_budget,
    check_metric,
    check_prompts,
    check_samples,
    evaluable,
)
from service.evaluations.plans import MetricRequest, models_of
from service.gates import store as gates
from service.jobs import queue
from service.models import store as models
from service.scoring.reward_checks import bound_rewards, named_calibrations
from service.settings import Settings
from service.training import data_warnings, memory, reward_models
from service.training import store as training
from service.training.schemas import HeldOutIn, TrainingIn, ValidationIn
from trainers.job.declaration import AnyTrainer
from trainers.job.fsdp import refusal as unshardable
from trainers.job.options import Options, RewardedOptions


@dataclass(frozen=True, slots=True)
class Checked:
    """A job that may be stored: `values` of its row, and what else is known of it."""

    trainer: AnyTrainer
    options: Options
    dataset: Dataset
    memory: Mapping[str, Any] | None
    values: Mapping[str, Any]


def admit(db: Connection, body: TrainingIn, settings: Settings) -> str:
    """Check everything, store everything, defer the job; returns its id."""
    checked = check(db, body, settings)
    id = training.create(db, **checked.values, name=body.name, metadata=body.metadata)
    if checked.memory is not None:
        training.change(db, id, report={"memory": dict(checked.memory)})
    held_out = {
        "overlap": checked.values["evaluation"],
        "validation_overlap": checked.values["validation"],
    }
    data_warnings.look(db, id, checked.dataset, held_out)
    queue.defer(db, "train.run", queue="train", job=id)
    return id


def check(db: Connection, body: TrainingIn, settings: Settings) -> Checked:
    """The job, if it could be admitted. Raises 422 for what can be known to be wrong."""
    try:
        trainer = known_method(body.method)
        options = trainers.parse(trainer, body.options)
    except ReportedError as error:
        raise invalid(error.code, error.message, error.field) from None
    options = _with_calibrations(db, settings, options)
    unable = unshardable(trainer, options, body.resources.processes, body.resources.fsdp)
    if unable is not None:
        field, reason = unable
        raise invalid("unsupported", reason, field)
    if trainer.produces == "language":
        models.require(db, settings, body.model, "model", "language")
    else:  # gets a head where it has none
        models.require(db, settings, body.model, "model")
    dataset = datasets.require(db, body.dataset, "dataset")
    _of_kind(trainer, dataset, "dataset")
    _known_rewards(db, settings, options, dataset.id)
    need = _admitted(db, settings, trainer, options, body, dataset.id)
    values = {
        "method": trainer.name,
        "model": body.model,
        "models": _models(settings, body, options),
        "dataset_id": dataset.id,
        "options": options.model_dump(mode="json"),
        "evaluation": _held_out(db, body, settings, trainer),
        "validation": _validation(db, trainer, body.validation),
        "resources": body.resources.model_dump(mode="json"),
    }
    return Checked(trainer, options, dataset, need, values)


def known_method(name: str) -> AnyTrainer:
    """The trainer of this name. Raises 422 with the nearest names."""
    try:
        return trainers.find(name)
    except ReportedError as error:
        raise invalid(error.code, error.message, error.field) from None


def _models(settings: Settings, body: TrainingIn, options: Options) -> list[str]:
    """Names of all models that the job and its evaluations load."""
    measured = body.evaluation.metrics if body.evaluation is not None else []
    requests = [MetricRequest(one.name, one.params) for one in measured]
    scoring = models_of(requests, settings.metric_roots)
    return sorted({body.model, *reward_models.names(settings, options), *scoring})


def _admitted(
    db: Connection,
    settings: Settings,
    trainer: AnyTrainer,
    options: Options,
    body: TrainingIn,
    dataset_id: str,
) -> Mapping[str, Any] | None:
    """What it needs, for the report. Raises 422 where no device that is known could hold it."""
    device = devices.largest(db)
    if device is None:
        return None
    resources, name = body.resources.model_dump(), device.name
    need = memory.job_estimate(
        db, settings, trainer, options, body.model, dataset_id, resources, name
    )
    if need is None:
        return None
    holds = (device.name, device.memory_bytes, device.scoring_bytes)
    processes = body.resources.processes
    refused = memory.refusal(need, options, processes, *holds)
    if refused is not None and not body.resources.ignore_memory_estimate:
        raise invalid("does_not_fit", refused, "resources")
    return memory.report(need, processes, *holds)


def _validation(
    db: Connection, trainer: AnyTrainer, asked: ValidationIn | None
) -> dict[str, Any] | None:
    """The validation block as it is stored: the dataset by id, so that its version is fixed."""
    if asked is None:
        return None
    if not trainer.validates:
        others = [name for name, one in trainers.catalogue().items() if one.validates]
        message = (
            f"{trainer.name} has no loss of held-out rows: only {', '.join(sorted(others))} take "
            "validation; give an evaluation instead"
        )
        raise invalid("unsupported", message, "validation")
    dataset = datasets.require(db, asked.dataset, "validation.dataset")
    _of_kind(trainer, dataset, "validation.dataset")
    return asked.model_dump(mode="json") | {"dataset_id": dataset.id}


def _of_kind(trainer: AnyTrainer, dataset: Dataset, field: str) -> None:
    if dataset.kind not in trainer.kinds:
        message = f"{trainer.name} trains on {trainer.kind}; {dataset.name!r} holds {dataset.kind}"
        raise invalid("wrong_kind", message, field)


def _with_calibrations(db: Connection, settings: Settings, options: Options) -> Options:
    """What its rewards name is looked up once: the training process knows no database."""
    if not isinstance(options, RewardedOptions):
        return options
    rewards = named_calibrations(db, settings, options.rewards, "options.rewards")
    return options.model_copy(update={"rewards": tuple(rewards)})


def _known_rewards(db: Connection, settings: Settings, options: Options, dataset_id: str) -> None:
    """Rewards have to be metrics with a per-sample value that the records can feed."""
    if not isinstance(options, RewardedOptions):
        return
    rewards = bound_rewards(db, settings, options.rewards, "options.rewards")
    samples = _with_outputs(db, dataset_id)
    for index, metric in enumerate(rewards):
        at = f"options.rewards[{index}]"
        check_metric(metric, samples, at, "records", at)
    if options.budget is not None:
        asked, of_cost = sorted(reward_models.names(settings, options)), options.budget.cost
        calls_url = any(metric.metric.calls_url for metric in rewards)
        check_budget(db, of_cost is not None, asked, calls_url, "options.budget")


def _with_outputs(db: Connection, dataset_id: str) -> list[Sample]:
    """The records, each with an output still to come."""
    return [Sample.of(record, [""]) for record in datasets.read_records(db, dataset_id)]


def _held_out(
    db: Connection, body: TrainingIn, settings: Settings, trainer: AnyTrainer
) -> dict[str, Any] | None:
    """The evaluation block as it is stored: the dataset by id, so that its version is fixed."""
    asked = body.evaluation
    if asked is None:
        return None
    with within("evaluation"):
        metrics, dataset = (
            _on_pairs(db, body.model, asked, settings, trainer)
            if trainer.held_out
            else _on_prompts(db, asked, settings)
        )
    names = [name for one in metrics for name in one.metric.score_names]
    watch = asked.watch if asked.watch is not None else [asked.select_by] * bool(asked.select_by)
    for at, name in [("select_by", asked.select_by), *(("watch", one) for one in watch)]:
        if name is not None and name not in names:
            message = f"no metric of the evaluation has a score {name!r}: {', '.join(names)}"
            raise invalid("unknown_score", message, f"evaluation.{at}")
    if asked.patience is not None and asked.select_by is None:
        message = "select_by says by which score a checkpoint is better; there is none"
        raise invalid("missing_score", message, "evaluation.patience")
    _check_gate(db, asked, dataset, names)
    stored = asked.model_dump(mode="json")
    stored |= _protocol(db, asked, trainer, dataset)
    stored["cluster"] = _cluster(db, asked, trainer, dataset)
    stored["metrics"] = [dataclasses.asdict(one.request) for one in metrics]
    return stored | {"dataset_id": dataset.id, "watch": watch}


def _cluster(db: Connection, asked: HeldOutIn, trainer: AnyTrainer, dataset: Dataset) -> str | None:
    """The field by which samples belong together: pairs of one prompt do, if nobody names one."""
    if asked.cluster is not None:
        with within("evaluation"):
            datasets.read_clusters(db, dataset.id, asked.cluster)  # raises where there is none
        return asked.cluster
    return PROMPT if trainer.held_out and asks_again(db, dataset.id) else None


def _protocol(
    db: Connection, asked: HeldOutIn, trainer: AnyTrainer, dataset: Dataset
) -> dict[str, Any]:
    """The protocol with its datasets by id, and its digest."""
    if asked.protocol is None:
        return {"protocol": None, "protocol_digest": None}
    if trainer.held_out:
        message = f"{trainer.name} makes no text: its checkpoints are asked nothing"
        raise invalid("unsupported", message, "evaluation.protocol")
    records = datasets.read_records(db, dataset.id)
    with within("evaluation"):
        admitted = protocols.admit(db, asked.protocol, asked.generation, records)
    return {"protocol": admitted.content, "protocol_digest": admitted.digest} if admitted else {}


def _check_gate(db: Connection, asked: HeldOutIn, dataset: Dataset, names: Sequence[str]) -> None:
    """Raises 422 where the gate could never be asked about a checkpoint."""
    if asked.gate is None:
        if asked.stop_by_gate is not None:
            raise invalid("missing_gate", "there is no gate to stop by", "evaluation.gate")
        return
    gate = gates.require(db, asked.gate, "evaluation.gate").asked
    on = datasets.require(db, gate.dataset, "evaluation.gate")
    if on.name != dataset.name:
        message = f"the gate is on the dataset {on.name!r}, the evaluation on {dataset.name!r}"
        raise invalid("other_dataset", message, "evaluation.gate")
    for rule in gate.rules:
        if rule.score not in names and rule.score not in {one.name for one in asked.metrics}:
            message = f"the gate needs {rule.score!r}, which no metric of the evaluation has"
            raise invalid("unknown_score", message, "evaluation.gate")


def _on_prompts(
    db: Connection, asked: HeldOutIn, settings: Settings
) -> tuple[list[RequestedMetric], Dataset]:
    """Of checkpoints that generate: every record needs a prompt, and what the metrics read."""
    metrics = bound_metrics(db, settings, asked.metrics)
    dataset = evaluable(db, asked.dataset, "dataset")
    samples = _with_outputs(db, dataset.id)
    if asked.protocol is None or asked.protocol.template is None:
        check_prompts(samples, "records", "dataset")
    check_samples(metrics, samples, "records", "dataset")
    return metrics, dataset


def _on_pairs(
    db: Connection, model: str, asked: HeldOutIn, settings: Settings, trainer: AnyTrainer
) -> tuple[list[RequestedMetric], Dataset]:
    """Of reward models: the metrics are theirs alone, and each checkpoint is its model."""
    for index, one in enumerate(asked.metrics):
        if one.name not in trainer.held_out:
            names = ", ".join(trainer.held_out)
            message = f"{trainer.name} makes no text to score: its checkpoints take {names}"
            raise invalid("unsupported", message, f"metrics[{index}]")
    own = [
        one.model_copy(update={"params": one.params | {"model": model}}) for one in asked.metrics
    ]
    dataset = datasets.require(db, asked.dataset, "dataset")
    if dataset.kind not in trainer.kinds:
        message = f"dataset {dataset.name!r} is of kind {dataset.kind}; {trainer.name} is held to "
        raise invalid("wrong_kind", message + ", ".join(trainer.kinds), "dataset")
    return bound_metrics(db, settings, own), dataset
