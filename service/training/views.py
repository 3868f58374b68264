"""Training jobs and their checkpoints, as they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from sqlalchemy import Connection

from metrics.core.alignment import Grouping
from metrics.core.compare import Testing
from service.evaluations import store as evaluations
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation
from service.leaderboards.paired import PairedResult, paired_results, tested
from service.settings import Settings
from service.training import checkpoints_store as checkpoints
from service.training import data_warnings, gating
from service.training.checkpoints_store import Checkpoint
from service.training.held_out import grouping
from service.training.schemas import CheckpointOut, CurvePoint, TrainingOut
from service.training.store import TrainingJob


def view(row: TrainingJob) -> TrainingOut:
    """A job as it is shown."""
    return TrainingOut(
        id=row.id,
        name=row.name,
        metadata=dict(row.metadata),
        status=row.status,
        control=row.control,
        method=row.method,
        model=row.model,
        dataset=row.dataset_name,
        dataset_version=row.dataset_version,
        options=dict(row.options),
        evaluation=_json(row.evaluation),
        validation=_json(row.validation),
        resources=dict(row.resources),
        step=row.step,
        total_steps=row.total_steps,
        attempt=row.attempt,
        report=dict(row.report),
        warnings=data_warnings.of_training(row.report),
        start_evaluation=row.start_evaluation,
        best=row.best,
        error=_json(row.error),
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def curve(db: Connection, settings: Settings, job: TrainingJob) -> list[CheckpointOut]:
    """The starting model and every checkpoint, by step, with scores and tests against the start."""
    start = evaluations.get(db, job.start_evaluation) if job.start_evaluation is not None else None
    shown = _checkpoints(db, settings, job, checkpoints.of_job(db, job.id))
    if start is None:
        return shown
    return [_starting_model(job, start, read_scores(db, [start.id])[start.id]), *shown]


def one_checkpoint(
    db: Connection, settings: Settings, job: TrainingJob, checkpoint: Checkpoint
) -> CheckpointOut:
    """A single place on the curve."""
    return _checkpoints(db, settings, job, [checkpoint])[0]


def _checkpoints(
    db: Connection, settings: Settings, job: TrainingJob, places: Sequence[Checkpoint]
) -> list[CheckpointOut]:
    """Places on the curve. Whatever their number, scores and results are read at once."""
    named = [one.evaluation_id for one in places if one.evaluation_id is not None]
    scores = read_scores(db, [*named, *filter(None, [job.start_evaluation])])
    start: dict[str, Score] = {}
    for score in _whole(scores, job.start_evaluation):
        start.setdefault(score.name, score)
    pairs = [
        (score, _comparable(score, start.get(score.name)))
        for place in places
        for score in _whole(scores, place.evaluation_id)
    ]
    gated = gating.of_checkpoints(db, job, named)
    points = iter(_tested(db, settings, job, pairs))
    return [
        CheckpointOut(
            id=place.id,
            step=place.step,
            model=place.id,
            evaluation=place.evaluation_id,
            evaluation_status=place.evaluation_status,
            evaluation_error=_json(place.evaluation_error),
            best=place.id == job.best,
            deleted=place.deleted,
            digest=place.digest,
            scores=[next(points) for _ in _whole(scores, place.evaluation_id)],
            warnings=data_warnings.of_scores(job.report),
            gate=gated.get(place.evaluation_id or ""),
            created_at=place.created_at,
        )
        for place in places
    ]


def _starting_model(job: TrainingJob, start: Evaluation, scores: Sequence[Score]) -> CheckpointOut:
    return CheckpointOut(
        id=None,
        step=0,
        model=job.model,
        evaluation=start.id,
        evaluation_status=start.status,
        evaluation_error=_json(start.error),
        best=False,
        deleted=False,
        digest=None,
        scores=[_point(score) for score in scores if not score.slice],
        warnings=data_warnings.of_scores(job.report),
        created_at=job.started_at,
    )


def _whole(scores: Mapping[str, Sequence[Score]], evaluation: str | None) -> list[Score]:
    """The scores of the whole set."""
    return [score for score in scores.get(evaluation or "", []) if not score.slice]


def _comparable(score: Score, start: Score | None) -> Score | None:
    """The starting model's score, where both have a value."""
    return start if start is not None and None not in (score.value, start.value) else None


def _point(score: Score) -> CurvePoint:
    return CurvePoint(
        name=score.name,
        value=score.value,
        interval=score.interval,
        higher_is_better=score.higher_is_better,
        judged=score.judged,
        clusters=score.clusters,
        design_effect=score.design_effect,
        error=score.error["message"] if score.error else None,
    )


def _tested(
    db: Connection,
    settings: Settings,
    job: TrainingJob,
    pairs: Sequence[tuple[Score, Score | None]],
) -> list[CurvePoint]:
    """A point for each score, with the paired test against the second, the starting model's."""
    both = [score for now, start in pairs if start is not None for score in (now, start)]
    paired = iter(paired_results(db, settings, both))
    together = grouping(db, job) if both else None
    return [
        _compared(_point(now), next(paired), next(paired), together)
        if start is not None
        else _point(now)
        for now, start in pairs
    ]


def _compared(
    point: CurvePoint, a: PairedResult | None, b: PairedResult | None, together: Grouping | None
) -> CurvePoint:
    if a is None or b is None:
        return point
    difference = tested(a, b, Testing(), together).difference
    if difference is not None:
        point.difference = difference.value
        point.difference_interval = difference.interval
        point.p_value = None if isnan(difference.p_value) else difference.p_value
    return point


def _json(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return dict(value) if value is not None else None
