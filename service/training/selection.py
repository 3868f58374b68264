"""train.select: after each evaluation of a training job, what it means for the job.

The best checkpoint, by the worse end of its interval; whether training is to end early; which
checkpoints may go; and whether the reward is being hacked (`reward_hacking`). Runs any number of
times and comes to the same result; each finding is told once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from service.db import events
from service.evaluations import store as evaluations
from service.evaluations.scores import read_scores
from service.jobs.context import Context
from service.training import checkpoints_store as checkpoints
from service.training import store as training
from service.training.checkpoints_store import Checkpoint
from service.training.gating import check_all
from service.training.recovery import remove
from service.training.retention import delete_outdated
from service.training.reward_hacking import Scores, watch, whole
from service.training.store import TrainingJob

WITHOUT_SCORES = ("failed", "cancelled")


def select(context: Context, job: str) -> None:
    """Choose the best checkpoint, delete outdated ones, and tell what the evaluations show."""
    with context.engine.begin() as db:
        row = training.lock(db, job)
        if row is None or row.evaluation is None:
            return
        known = checkpoints.of_job(db, job)
        ended = [one.evaluation_id for one in known if one.evaluation_status == "succeeded"]
        scores = read_scores(db, [id for id in [*ended, row.start_evaluation] if id is not None])
        _tell_failures(db, row, known)
        best = _best(known, scores, row.evaluation.get("select_by"))
        if best is not None and best != row.best:
            training.change(db, job, best=best)
            events.append(db, job, "best", {"checkpoint": best})
        _stop_early(db, row, known, best)
        gone = delete_outdated(db, row, known, best)
        watch(db, context.settings, row, known, scores)
        check_all(db, context.settings, row, known)
    remove(one.path(context.settings.data_dir) for one in gone)


def _tell_failures(db: Connection, row: TrainingJob, known: Sequence[Checkpoint]) -> None:
    """An event for every evaluation that ended without scores; the others count all the same."""
    start = evaluations.get(db, row.start_evaluation) if row.start_evaluation is not None else None
    if start is not None and start.status in WITHOUT_SCORES and not row.start_failure_told:
        _tell_failure(db, row.id, None, 0, start.id, start.error)
        training.change(db, row.id, start_failure_told=True)
    for one in known:
        evaluation = one.evaluation_id
        if one.evaluation_status in WITHOUT_SCORES and evaluation != one.failure_told:
            _tell_failure(db, row.id, one.id, one.step, evaluation, one.evaluation_error)
            checkpoints.change(db, one.id, failure_told=evaluation)


def _tell_failure(
    db: Connection,
    job: str,
    checkpoint: str | None,
    step: int,
    evaluation: str | None,
    error: Mapping[str, Any] | None,
) -> None:
    data = {"checkpoint": checkpoint, "step": step, "evaluation": evaluation, "error": error}
    events.append(db, job, "evaluation_failed", data)


def _best(known: Sequence[Checkpoint], scores: Scores, name: str | None) -> str | None:
    """The checkpoint whose value is best at the worse end of its interval, of those that have one
    on the most samples: who leaves the hard ones blank is no better for it. A value without an
    interval, which could be far off, comes behind those that have one."""
    candidates = []
    for one in known:
        score = whole(scores, one.evaluation_id, name)
        if score is None or score.value is None:
            continue
        low, high = score.interval or (score.value, score.value)
        end = low if score.higher_is_better else -high
        candidates.append((score.n, score.interval is not None, end, -one.step, one.id))
    return max(candidates)[-1] if candidates else None


def _stop_early(
    db: Connection, row: TrainingJob, known: Sequence[Checkpoint], best: str | None
) -> None:
    """The job ends where `patience` scored checkpoints in a row are no better than an earlier one.

    Those after a gap, an evaluation still at work, do not count yet. Of a job that was stopped so
    and resumed, only what came after counts.
    """
    patience = (row.evaluation or {}).get("patience")
    if patience is None or best is None or row.status != "running" or row.control is not None:
        return
    pending = [one.step for one in known if one.evaluation_status in {"queued", "running"}]
    scored = [
        one
        for one in known
        if one.evaluation_status == "succeeded" and one.step < min(pending, default=one.step + 1)
    ]
    since = max(
        next(one.step for one in known if one.id == best),
        row.report.get("early_stop", {}).get("step", 0),
    )
    no_better = [one.step for one in scored if one.step > since]
    if len(no_better) >= patience:
        found = {"step": no_better[-1], "best": best, "checkpoints": len(no_better)}
        training.add_to_report(db, row.id, {"early_stop": found})
        events.append(db, row.id, "early_stop", found)
        training.ask(db, row.id, "stop")
