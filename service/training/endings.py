"""How attempts at a training job end, and what is told of steps that are lost."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from service.db import events
from service.jobs.context import Context
from service.training import checkpoints_store as checkpoints
from service.training import progress
from service.training import store as training
from service.training.reports import Attempt, TakenOverError
from service.training.store import TrainingJob
from trainers.job.process import OUT_OF_MEMORY
from trainers.job.reports import Report

KILLED = -9  # exit status
FAILURES = {"budget_spent": "paused"}  # what a job is after failures that are none of its own


def finish(context: Context, attempt: Attempt, ended: Report) -> None:
    """The attempt's process had its last word, and the job ends with it."""
    with context.engine.begin() as db:
        row = training.lock_attempt(db, attempt.job, attempt.number)
        if row is None:
            return
        if ended.type == "finished":
            training.finish(db, attempt.job, "succeeded", {"step": ended.step})
        elif ended.type == "stopped" and not ended.data:
            training.finish(db, attempt.job, _stopped(ended.name), {"step": ended.step})
        else:
            known = checkpoints.of_job(db, attempt.job)
            by_itself = ended.type == "stopped"
            error = {
                "code": (ended.data.get("code") if by_itself else ended.name) or "crashed",
                "message": ended.data.get("message", "the training process failed"),
                "param": ended.data.get("field"),
                "step": ended.step,
                "last_checkpoint": known[-1].id if known else None,
            }
            status = _stopped(ended.name) if by_itself else FAILURES.get(error["code"], "failed")
            told = {"error": error} | ({"step": ended.step} if status == "paused" else {})
            training.finish(db, attempt.job, status, told, error)


def stop(db: Connection, row: TrainingJob, kept: int, died: str | None) -> None:
    """Pause or cancel, as asked of `row`, a job that no process works on. The caller holds the
    lock.

    kept  the step of the last complete checkpoint; 0 where there is none
    died  how the process ended that should have saved its step; None: there was none
    """
    lost, error = max(row.step - kept, 0), None
    if lost or died is not None:
        known = checkpoints.of_job(db, row.id)
        place = f"the checkpoint of step {kept}" if kept else "no checkpoint"
        why = f"{died or 'its worker died'}, so the step at work was not saved"
        error = {
            "code": "steps_lost",
            "message": f"{why}: {lost} complete step(s) are lost as well, and {place} is left",
            "step": kept,
            "lost": lost,
            "last_checkpoint": known[-1].id if known else None,
        }
        events.append(db, row.id, "steps_lost", error)
        training.change(db, row.id, step=kept)
    training.finish(db, row.id, _stopped(row.control), {"step": kept}, error)


def hand_over(context: Context, attempt: Attempt, step: int) -> None:
    """The attempt has saved its state, for whoever goes on."""
    why = "the worker ends" if context.released() else "scoring waits for the device"
    with context.engine.begin() as db:
        if training.lock_attempt(db, attempt.job, attempt.number) is None:
            raise TakenOverError
        events.append(db, attempt.job, "released", {"step": step, "why": why})


def give_up(context: Context, job: str, code: str, message: str) -> None:
    """The job fails, whichever attempt it is at."""
    with context.engine.begin() as db:
        row = training.lock(db, job)
        if row is not None and row.status not in training.FINAL:
            error: dict[str, Any] = {"code": code, "message": message}
            training.finish(db, job, "failed", {"error": error}, error)


def crashed(attempt: Attempt, crashes: int) -> Report:
    """What is reported of a process that died again and again."""
    message = (
        f"the training process died {crashes} times without a new checkpoint ({_how(attempt)})"
    )
    if attempt.status == KILLED:
        message += f"; if the system killed it for its memory: {OUT_OF_MEMORY}"
    return Report(type="failed", name="crashed", data={"message": message})


def died(attempt: Attempt) -> str:
    """How the attempt's process ended without a last word."""
    if attempt.stalled:
        patience = f"{progress.PATIENCE:.0f} s"
        return f"the training process, asked to stop, did nothing for {patience} and was killed"
    return f"the training process died ({_how(attempt)})"


def _how(attempt: Attempt) -> str:
    status = attempt.status
    return f"signal {-status}" if status < 0 else f"status {status}"


def _stopped(control: str | None) -> str:
    return {"pause": "paused", "stop": "succeeded"}.get(control or "", "cancelled")
