"""Evaluations and their samples, as they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Connection

from service.evaluations import scores as results
from service.evaluations import store as evaluations


class Progress(BaseModel):
    """Counted in measurements: one sample under one metric; a sample to generate is one more."""

    done: int
    total: int


class ScoreOut(BaseModel):
    metric: str
    name: str
    slice: str | None = None  # `lang=ru`; null: the whole set
    value: float | None
    interval: tuple[float, float] | None
    level: float
    n: int
    missing: int
    higher_is_better: bool
    interval_method: str
    signature: str | None
    warnings: list[str]
    error: dict[str, Any] | None


class EvaluationOut(BaseModel):
    id: str
    object: str = "evaluation"
    status: str
    system: str
    dataset: str
    dataset_version: int
    dataset_id: str
    model: str | None
    generation: dict[str, Any] | None
    metrics: list[dict[str, Any]]
    progress: Progress
    scores: list[ScoreOut]
    slices: list[ScoreOut] = Field(default_factory=list)
    error: dict[str, Any] | None
    seed: int
    replicates: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class SampleOut(BaseModel):
    id: str
    prompt: str | None
    outputs: list[str]
    references: list[str]
    metadata: dict[str, Any]
    scores: dict[str, float | None]


def view(db: Connection, row: Any) -> EvaluationOut:
    return views(db, [row])[0]


def views(db: Connection, rows: Sequence[Any]) -> list[EvaluationOut]:
    ids = [row.id for row in rows]
    scores, plans = results.read_scores(db, ids), evaluations.plans_of(db, ids)
    return [_view(row, plans[row.id], scores[row.id]) for row in rows]


def progress(row: Any) -> dict[str, int]:
    total = int(row.total)
    return {"done": total if row.status == "succeeded" else int(row.done), "total": total}


def _view(row: Any, plans: Sequence[evaluations.Plan], scores: Sequence[Any]) -> EvaluationOut:
    shown = [score_view(score) for score in scores]
    return EvaluationOut(
        id=row.id,
        status=row.status,
        system=row.system,
        dataset=row.dataset_name,
        dataset_version=row.dataset_version,
        dataset_id=row.dataset_id,
        model=row.model,
        generation=row.generation,
        metrics=[
            {"name": one.name, "params": one.resolved if one.resolved is not None else one.params}
            for one in plans
        ],
        progress=Progress(**progress(row)),
        scores=[score for score in shown if score.slice is None],
        slices=[score for score in shown if score.slice is not None],
        error=row.error,
        seed=row.seed,
        replicates=row.replicates,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def score_view(score: Any) -> ScoreOut:
    return ScoreOut(
        metric=score.metric,
        name=score.name,
        slice=score.slice or None,
        value=score.value,
        interval=(score.low, score.high) if score.low is not None else None,
        level=score.level,
        n=score.n,
        missing=score.missing,
        higher_is_better=score.higher_is_better,
        interval_method=score.interval_method,
        signature=score.signature,
        warnings=score.warnings,
        error=score.error,
    )


def sample_view(row: Any, scores: Mapping[str, float | None]) -> SampleOut:
    return SampleOut(
        id=row.content["id"],
        prompt=row.content.get("prompt"),
        outputs=row.texts or [],
        references=row.content.get("references") or [],
        metadata=row.content.get("metadata") or {},
        scores=dict(scores),
    )
