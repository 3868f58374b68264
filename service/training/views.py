"""Training jobs and their checkpoints, as they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection

from metrics.core.compare import Testing
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.leaderboards.paired import paired_result, tested
from service.settings import Settings
from service.training import checkpoints_store as checkpoints


class TrainingOut(BaseModel):
    id: str
    object: str = "training_job"
    status: str
    control: str | None  # what has been asked of it and not been obeyed yet
    method: str
    model: str
    dataset: str
    dataset_version: int
    options: dict[str, Any]
    evaluation: dict[str, Any] | None
    resources: dict[str, Any]
    step: int
    total_steps: int | None
    attempt: int
    report: dict[str, Any]
    start_evaluation: str | None
    best: str | None
    error: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class CurvePoint(BaseModel):
    """One score of a checkpoint, and its paired test against the starting model."""

    name: str
    value: float | None
    interval: tuple[float, float] | None
    higher_is_better: bool
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
    created_at: datetime | None


def view(row: Any) -> TrainingOut:
    return TrainingOut(
        id=row.id,
        status=row.status,
        control=row.control,
        method=row.method,
        model=row.model,
        dataset=row.dataset_name,
        dataset_version=row.dataset_version,
        options=row.options,
        evaluation=row.evaluation,
        resources=row.resources,
        step=row.step,
        total_steps=row.total_steps,
        attempt=row.attempt,
        report=row.report,
        start_evaluation=row.start_evaluation,
        best=row.best,
        error=row.error,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def curve(db: Connection, settings: Settings, job: Any) -> list[CheckpointOut]:
    """The starting model and every checkpoint, by step, with scores and tests against the start."""
    known = checkpoints.of_job(db, job.id)
    wanted = [one.evaluation_id for one in known if one.evaluation_id is not None]
    scores = results.read_scores(db, [*wanted, *filter(None, [job.start_evaluation])])
    start = _whole(scores, job.start_evaluation)
    shown = []
    ours = evaluations.get(db, job.start_evaluation) if job.start_evaluation is not None else None
    if ours is not None:
        shown.append(
            CheckpointOut(
                id=None,
                step=0,
                model=job.model,
                evaluation=job.start_evaluation,
                evaluation_status=ours.status,
                evaluation_error=ours.error,
                best=False,
                deleted=False,
                digest=None,
                scores=[_point(one) for one in start],
                created_at=job.started_at,
            )
        )
    for one in known:
        mine = _whole(scores, one.evaluation_id)
        shown.append(_checkpoint(db, settings, job, one, mine, start))
    return shown


def one_checkpoint(db: Connection, settings: Settings, job: Any, one: Any) -> CheckpointOut:
    """A single place on the curve."""
    wanted = [name for name in (one.evaluation_id, job.start_evaluation) if name is not None]
    scores = results.read_scores(db, wanted)
    mine, start = _whole(scores, one.evaluation_id), _whole(scores, job.start_evaluation)
    return _checkpoint(db, settings, job, one, mine, start)


def _whole(scores: Mapping[str, Sequence[Any]], evaluation: str | None) -> list[Any]:
    """The scores of the whole set."""
    return [one for one in scores.get(evaluation or "", []) if not one.slice]


def _checkpoint(
    db: Connection,
    settings: Settings,
    job: Any,
    one: Any,
    mine: Sequence[Any],
    start: Sequence[Any],
) -> CheckpointOut:
    return CheckpointOut(
        id=one.id,
        step=one.step,
        model=one.id,
        evaluation=one.evaluation_id,
        evaluation_status=one.evaluation_status,
        evaluation_error=one.evaluation_error,
        best=one.id == job.best,
        deleted=one.deleted,
        digest=one.digest,
        scores=[_tested(db, settings, score, start) for score in mine],
        created_at=one.created_at,
    )


def _point(score: Any) -> CurvePoint:
    return CurvePoint(
        name=score.name,
        value=score.value,
        interval=(score.low, score.high) if score.low is not None else None,
        higher_is_better=score.higher_is_better,
        error=score.error["message"] if score.error else None,
    )


def _tested(db: Connection, settings: Settings, score: Any, start: Sequence[Any]) -> CurvePoint:
    point = _point(score)
    before = next((one for one in start if one.name == score.name), None)
    if before is None or before.value is None or score.value is None:
        return point
    a, b = paired_result(db, settings, score), paired_result(db, settings, before)
    found = tested(a, b, Testing()).difference if a is not None and b is not None else None
    if found is not None:
        point.difference = found.value
        point.difference_interval = found.interval
        point.p_value = found.p_value if found.p_value == found.p_value else None
    return point
