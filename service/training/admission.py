"""What may be asked of `POST /v1/training_jobs`, and its admission."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection

import trainers
from inference.errors import ReportedError
from metrics import find
from metrics.core.metric import Sample
from service.datasets import store as datasets
from service.devices import store as devices
from service.errors import invalid, of_metric, within
from service.evaluations.admission import GenerationIn
from service.evaluations.checks import (
    Metrics,
    RequestedMetric,
    existing,
    fit,
    known_metrics,
    known_model,
)
from service.evaluations.store import MetricRequest
from service.http.fields import Json, Name, Schema
from service.jobs import queue
from service.settings import Settings
from service.training import memory
from service.training import store as training
from trainers.job.declaration import AnyTrainer
from trainers.job.fsdp import Fsdp
from trainers.job.fsdp import refusal as unshardable
from trainers.job.options import Options, RewardedOptions


class HeldOutIn(Schema):
    """How the starting model and every checkpoint are scored."""

    dataset: Name
    metrics: Metrics
    generation: GenerationIn = Field(default_factory=GenerationIn)
    select_by: Name | None = None  # a score: the best checkpoint by the lower end of its interval
    watch: list[Name] | None = None  # scores that must not fall as the reward rises
    pause_on_divergence: bool = False
    keep_last: Annotated[int, Field(ge=1)] | None = None  # and the best one; null keeps all


class ResourcesIn(Schema):
    """Where the job runs."""

    processes: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="Above 1: under torchrun, one a GPU; `batch_size` counts for each."
    )
    fsdp: Fsdp | None = Field(
        default=None,
        description="Share weights, gradients and the optimiser's state among the processes; `{}` "
        "is enough. null: each process holds all of them (DDP). Not for ppo.",
    )


class TrainingIn(Schema):
    """A method (`GET /v1/trainers`), a model, a dataset, the method's options."""

    method: str
    model: Name
    dataset: Name
    options: Json = Field(default_factory=dict)
    evaluation: HeldOutIn | None = None
    resources: ResourcesIn = Field(default_factory=ResourcesIn)

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "method": "dpo",
                    "model": "builtin/smollm2-135m-instruct",
                    "dataset": "polite",
                    "options": {"max_steps": 20, "save_steps": 10, "lora": True, "beta": 0.1},
                    "evaluation": {
                        "dataset": "capitals",
                        "metrics": ["token_f1", "length"],
                        "generation": {"max_new_tokens": 24},
                        "select_by": "token_f1",
                    },
                }
            ]
        }
    }


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
    known_model(body.model, settings, "model", db)
    dataset = existing(db, body.dataset, "dataset")
    if dataset.kind not in trainer.kinds:
        message = f"{trainer.name} trains on {trainer.kind}; {dataset.name!r} holds {dataset.kind}"
        raise invalid("wrong_kind", message, "dataset")
    _known_rewards(db, settings, trainer, options, dataset.id)
    need = _admitted(db, settings, trainer, options, body, dataset.id)
    made = training.create(
        db,
        method=trainer.name,
        model=body.model,
        dataset_id=dataset.id,
        options=options.model_dump(mode="json"),
        evaluation=_held_out(db, body.evaluation, settings),
        resources=body.resources.model_dump(mode="json"),
    )
    if need is not None:
        training.change(db, made, report={"memory": dict(need)})
    queue.defer(db, "train.run", queue="train", job=made)
    return made


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
    if refused is not None:
        raise invalid("does_not_fit", refused, "resources")
    return memory.report(need, processes, *holds)


def _known_rewards(
    db: Connection, settings: Settings, trainer: AnyTrainer, options: Options, dataset_id: str
) -> None:
    """Rewards have to be metrics with a per-sample value that the records can feed."""
    rewards = options.rewards if isinstance(options, RewardedOptions) else ()
    for index, reward in enumerate(rewards):
        at = f"options.rewards[{index}]"
        try:
            metric = find(reward.metric, settings.metric_roots).bind(reward.params)
        except ReportedError as error:
            raise of_metric(error, at) from None
        if metric.set_level:
            message = f"{metric.name} is of a set: no sample has a value that could be a reward"
            raise invalid("no_reward", message, f"{at}.metric")
        if reward.name is not None and reward.name not in metric.score_names:
            names = ", ".join(metric.score_names)
            message = f"{metric.name} has no score {reward.name!r}; it has {names}"
            raise invalid("unknown_score", message, f"{at}.name")
        for name in metric.models:
            known_model(name, settings, f"{at}.params.model", db)
        asked = RequestedMetric(metric, MetricRequest(reward.metric, reward.params))
        fit([asked], _with_outputs(db, dataset_id), "records")


def _with_outputs(db: Connection, dataset_id: str) -> list[Sample]:
    """The records, each with an output still to come."""
    return [Sample.of(record, [""]) for record in datasets.read_records(db, dataset_id)]


def _held_out(db: Connection, asked: HeldOutIn | None, settings: Settings) -> dict[str, Any] | None:
    """The evaluation block as it is stored: the dataset by id, so that its version is fixed."""
    if asked is None:
        return None
    with within("evaluation"):
        metrics = known_metrics(asked.metrics, settings, db)
        dataset = existing(db, asked.dataset, "dataset")
        fit(metrics, _with_outputs(db, dataset.id), "records")
    names = [name for one in metrics for name in one.metric.score_names]
    watch = asked.watch if asked.watch is not None else [asked.select_by] * bool(asked.select_by)
    for at, name in [("select_by", asked.select_by), *(("watch", one) for one in watch)]:
        if name is not None and name not in names:
            message = f"no metric of the evaluation has a score {name!r}: {', '.join(names)}"
            raise invalid("unknown_score", message, f"evaluation.{at}")
    stored = asked.model_dump(mode="json")
    return stored | {"dataset_id": dataset.id, "watch": watch}
