"""Answers about training jobs and checkpoints, as frozen objects."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from assay.models import FINAL, Answer, Json, Problem


class TrainingJob(Answer):
    """A training job; `control` is what has been asked of it and not been obeyed yet.

    `warnings`: what its data give reason to doubt.
    """

    id: str
    name: str | None = None
    metadata: Json = Field(default_factory=dict)
    status: str
    control: str | None = None
    method: str
    model: str
    dataset: str
    dataset_version: int
    options: Json
    evaluation: Json | None = None
    validation: Json | None = None
    resources: Json = Field(default_factory=dict)
    step: int
    total_steps: int | None
    attempt: int = 0
    report: Json = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    start_evaluation: str | None = None
    best: str | None = None
    error: Problem | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether it has succeeded, failed or been cancelled."""
        return self.status in FINAL


class TrainingPreview(Answer):
    """What a training job would be; `lengths` are in tokens, `cut` is the share of rows
    that are too long."""

    records: int
    total_steps: int
    memory: Json | None = None
    lengths: Json | None = None
    validation_lengths: Json | None = None
    cut: float | None = None
    example: str | None = None
    problem: Problem | None = None


class TrainingMetrics(Answer):
    """What a training logged: (step, value) pairs by name."""

    series: dict[str, list[tuple[int, float | None]]]


class TrainingLogs(Answer):
    """The end of what an attempt's process printed; `text` is None where it is not within reach."""

    attempt: int
    text: str | None
    truncated: bool


class CurvePoint(Answer):
    """One score of a checkpoint, and its paired test against the starting model."""

    name: str
    value: float | None
    interval: tuple[float, float] | None
    higher_is_better: bool
    judged: bool = True
    clusters: int | None = None
    design_effect: float | None = None
    difference: float | None = None
    difference_interval: tuple[float, float] | None = None
    p_value: float | None = None
    error: str | None = None


class Checkpoint(Answer):
    """A place on a training job's curves; `id` is None for the starting model."""

    id: str | None
    step: int
    model: str
    evaluation: str | None
    evaluation_status: str | None
    evaluation_error: Problem | None = None
    best: bool
    deleted: bool
    digest: str | None
    scores: list[CurvePoint]
    warnings: list[str] = Field(default_factory=list)
    gate: Json | None = None
    created_at: datetime | None = None

    def score(self, name: str) -> CurvePoint | None:
        """The score called `name`, None where there is none (yet)."""
        return next((point for point in self.scores if point.name == name), None)


class CheckpointCard(Checkpoint):
    """A checkpoint and what its files were made with.

    `form`: `adapter`, or `model` for all weights; None where the files are gone.
    """

    job: str
    form: str | None
    card: Json
