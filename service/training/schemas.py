"""Training jobs and checkpoints as they come and go: what is asked for, and what is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, Field

from service.evaluations.schemas import BudgetIn, GenerationIn, Metrics, ProtocolIn
from service.http.fields import Json, Name, Schema
from trainers.job.fsdp import Fsdp


class HeldOutIn(Schema):
    """How the starting model and every checkpoint are scored."""

    dataset: Name
    metrics: Metrics
    generation: GenerationIn = Field(default_factory=GenerationIn)
    protocol: ProtocolIn | None = Field(
        default=None,
        description="How records are asked and what is the answer, as an evaluation's.",
    )
    cluster: Name | None = Field(
        default=None,
        description="A field of the metadata, or `prompt`: samples with equal values belong "
        "together, and intervals are over those clusters. null: none, but of preference pairs "
        "`prompt` where several have the same.",
    )
    select_by: Name | None = None  # a score: the best checkpoint by the worse end of its interval
    watch: list[Name] | None = None  # scores that must not fall as the reward rises
    pause_on_reward_hacking: bool = Field(
        default=False,
        validation_alias=AliasChoices("pause_on_reward_hacking", "pause_on_divergence"),
        description="Pause the job where a watched score falls as the reward rises.",
    )
    patience: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None,
        description="The job ends, succeeded, after so many scored checkpoints in a row that are "
        "no better by `select_by` than an earlier one; null: never.",
    )
    keep_last: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None, description="Checkpoints that stay, and the best one; null keeps all."
    )
    gate: Name | None = Field(
        default=None, description="A gate on the same dataset, which checks every checkpoint."
    )
    stop_by_gate: Literal["passed", "failed", "settled"] | None = Field(
        default=None,
        description="The job ends, succeeded, once a checkpoint passes the gate, or clearly fails "
        "it, or either; null: never.",
    )


class ValidationIn(Schema):
    """Held-out rows whose loss is measured: of the kind that is trained on."""

    dataset: Name
    eval_steps: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None, description="Optimiser steps between measurements; null: at checkpoints."
    )


class ResourcesIn(Schema):
    """Where the job runs, and what it keeps."""

    processes: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="Above 1: under torchrun, one a GPU; `batch_size` counts for each."
    )
    fsdp: Fsdp | None = Field(
        default=None,
        description="Share weights, gradients and the optimiser's state among the processes; `{}` "
        "is enough. null: each process holds all of them (DDP). Not for ppo.",
    )
    ignore_memory_estimate: bool = Field(
        default=False,
        description="Run the job even where the estimate of its memory says that it does not fit; "
        "the estimate stands in the report all the same.",
    )
    keep_last: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None,
        description="Checkpoints whose files stay: so many of the last ones, and the best one; "
        "null keeps all. `evaluation.keep_last` goes first.",
    )
    keep_optimizer_states: bool = Field(
        default=False,
        description="Keep the optimiser's state of every checkpoint; false: of the last two, as a "
        "job goes on from its last one.",
    )


class TrainingIn(Schema):
    """A method (`GET /v1/trainers`), a model, a dataset, the method's options."""

    name: Name | None = Field(default=None, description="For people; need not be unique.")
    metadata: Annotated[Json, Field(max_length=32)] = Field(
        default_factory=dict, description="Values by key, to find jobs by."
    )
    method: str
    model: Name
    dataset: Name
    options: Json = Field(default_factory=dict)
    evaluation: HeldOutIn | None = None
    validation: ValidationIn | None = Field(
        default=None, description="For sft, dpo, kto and reward: the series `validation/loss`."
    )
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


class ResumeIn(Schema):
    """How a stopped job goes on."""

    max_steps: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None,
        description="Optimiser steps of the whole job, those done included; null: as it was. "
        "The learning rate follows the schedule of the new number.",
    )
    processes: Annotated[int, Field(ge=1, le=64)] | None = Field(
        default=None,
        description="Processes from here on; null: as many as before. An optimiser step learns "
        "from as many samples: gradient_accumulation_steps changes with it. Not for ppo.",
    )
    budget: BudgetIn | None = Field(
        default=None,
        description="The most that rewards behind URLs may take in all of the job; null: as it "
        "was.",
    )


class TrainingOut(BaseModel):
    """A training job."""

    id: str
    object: str = "training_job"
    name: str | None
    metadata: dict[str, Any]
    status: str
    control: str | None  # "cancel", "pause", "stop" (early): asked of it and not obeyed yet
    method: str
    model: str
    dataset: str
    dataset_version: int
    options: dict[str, Any]
    evaluation: dict[str, Any] | None
    validation: dict[str, Any] | None
    resources: dict[str, Any]
    step: int
    total_steps: int | None
    attempt: int
    report: dict[str, Any]
    warnings: list[str]  # of its data
    start_evaluation: str | None
    best: str | None
    error: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class TrainingPreviewOut(BaseModel):
    """What a job would be; nothing of it is stored."""

    object: str = "training_preview"
    records: int
    total_steps: int
    memory: dict[str, Any] | None  # an estimate; null where the model's files are not here
    # of the first 10,000 records, in tokens: min, median, p95, max, limit, and how many are over
    lengths: dict[str, Any] | None = None
    validation_lengths: dict[str, Any] | None = None
    cut: float | None = Field(
        default=None,
        description="Share of the rows that `truncate` shortens, or would: those over the limit.",
    )
    example: str | None = None  # the first record as the model would read it
    problem: dict[str, str | None] | None = None  # why training would not begin


class CurvePoint(BaseModel):
    """One score of a checkpoint, and its paired test against the starting model."""

    name: str
    value: float | None
    interval: tuple[float, float] | None
    higher_is_better: bool
    judged: bool = True  # false: neither is better, and `higher_is_better` only orders lists
    clusters: int | None = None  # that the interval is over; null: samples are independent
    design_effect: float | None = None  # of the clusters on the variance
    difference: float | None = None
    difference_interval: tuple[float, float] | None = None
    p_value: float | None = None
    error: str | None = None


class CheckpointOut(BaseModel):
    """`id` is null for the starting model, which has a place on the curves, too."""

    id: str | None
    object: str = "checkpoint"
    step: int
    model: str
    evaluation: str | None
    evaluation_status: str | None
    evaluation_error: dict[str, Any] | None = None
    best: bool
    deleted: bool
    digest: str | None
    scores: list[CurvePoint]
    warnings: list[str] = Field(default_factory=list)  # about the scores
    gate: dict[str, Any] | None = None  # what the job's gate said: gate, version, check, verdict
    created_at: datetime | None


class SeriesOut(BaseModel):
    """Each series as (step, value) pairs."""

    object: str = "training_metrics"
    series: dict[str, list[tuple[int, float | None]]]


class TrainingLogsOut(BaseModel):
    """The end of what an attempt's process printed."""

    object: str = "training_logs"
    attempt: int
    text: str | None  # null where the file is not within reach
    truncated: bool  # there is more before it


class CheckpointCard(CheckpointOut):
    """A checkpoint and what it came from; `card` says what its files were made with."""

    job: str
    form: str | None  # "adapter" or "model"; null where its files are not within reach
    card: dict[str, Any]
