"""/v1/training_jobs: alignment in the background, its checkpoints scored as they come."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import Body, Query, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from service.errors import ApiError, invalid, not_found
from service.http.answers import STREAMED
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Idempotent, Transaction
from service.http.event_stream import EventOut, Events, answer
from service.http.fields import Limit, Order, Page, Text, page
from service.http.idempotency import Created
from service.http.router import Router
from service.jobs import queue
from service.training import store as training
from service.training.admission import admit, known_method
from service.training.output import log_file, tail
from service.training.previews import preview
from service.training.resizing import resize
from service.training.schemas import (
    CheckpointOut,
    ResumeIn,
    SeriesOut,
    TrainingIn,
    TrainingLogsOut,
    TrainingOut,
    TrainingPreviewOut,
)
from service.training.store import TrainingJob
from service.training.views import curve, view

router = Router(prefix="/v1/training_jobs", tags=["training"], route_class=BodyRoute)

Status = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]

Filter = Annotated[Text | None, Query()]

AS_IT_WAS = ResumeIn()


@router.post(
    "",
    status_code=202,
    response_model=TrainingOut,
    responses={200: {"model": TrainingPreviewOut, "description": "With dry_run"}},
    summary="Train a model",
)
async def create_training_job(
    body: TrainingIn,
    gate: CurrentGate,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
    dry_run: Annotated[bool, Query(description="say what it would be, and create nothing")] = False,
) -> Any:
    """Everything that can be known to be wrong is refused now; the rest fails the job with the
    step and the last good checkpoint."""
    if dry_run:
        found = await preview(gate, settings, body)
        return JSONResponse(found.model_dump(mode="json"))

    def create(db: Connection) -> Created[TrainingOut]:
        return Created(view(training.require(db, admit(db, body, settings))), 202)

    created = (await gate.run(lambda db: key.once(db, TrainingOut, create))).content
    response.headers["Location"] = f"/v1/training_jobs/{created.id}"
    return created


@router.get("", summary="List training jobs")
def list_training_jobs(
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
    status: Status | None = None,
    name: Filter = None,
    method: Filter = None,
    metadata: Annotated[
        list[Text] | None, Query(description="as team=search; may be given again")
    ] = None,
) -> Page[TrainingOut]:
    """All jobs, or those for which everything holds that is asked."""
    if method is not None:
        known_method(method)
    rows = training.page(
        db,
        after=after,
        limit=limit + 1,
        descending=order == "desc",
        metadata=[_pair(one) for one in metadata or ()],
        status=status,
        name=name,
        method=method,
    )
    return page([view(row) for row in rows], limit)


@router.get("/{job}", summary="One training job")
def get_training_job(job: str, db: Transaction) -> TrainingOut:
    """What was asked, how far it is, and its report: lengths, memory, versions."""
    return view(training.require(db, job))


@router.post("/{job}/cancel", summary="Stop a job for good, with a checkpoint")
def cancel_training_job(job: str, db: Transaction) -> TrainingOut:
    """A running job ends its optimiser step, leaves a complete checkpoint and stops. `error` says
    so where that step could not be saved."""
    return _ask(db, job, "cancel")


@router.post("/{job}/pause", summary="Stop a job for now, with a checkpoint")
def pause_training_job(job: str, db: Transaction) -> TrainingOut:
    """A running job ends its optimiser step, saves and stops; `resume` goes on from there."""
    return _ask(db, job, "pause")


@router.post("/{job}/resume", summary="Go on with a stopped job, from its last checkpoint")
def resume_training_job(
    job: str, db: Transaction, body: Annotated[ResumeIn, Body()] = AS_IT_WAS
) -> TrainingOut:
    """Paused, failed or cancelled; a failed one once its cause is gone: there is room on the disk
    again, or memory. `max_steps` makes the job longer, also one that has succeeded;
    `processes` lets it go on with more GPUs, or fewer, `budget` with more for its rewards."""
    row = _locked(db, job)
    max_steps = body.max_steps
    if row.status in {"queued", "running"}:
        message = f"the job is {row.status}: there is nothing to resume"
        raise ApiError(409, "not_paused", message, "job")
    if row.status == "succeeded" and max_steps is None:
        message = "the job has succeeded: with a greater max_steps it goes on"
        raise ApiError(409, "already_finished", message, "job")
    if max_steps is not None and max_steps <= row.step:
        message = f"is {max_steps}, and {row.step} steps are done"
        raise invalid("invalid_value", message, "max_steps")
    resize(db, row, body.processes)
    budget = body.budget.model_dump() if body.budget is not None else None
    if budget is not None and "rewards" not in row.options:
        message = f"{row.method} has no rewards: a budget is for those behind URLs"
        raise invalid("no_budget", message, "budget")
    training.resume(db, _locked(db, job), max_steps, budget)
    if not queue.waits(db, "train.run", job=job):  # of a job that was stopped while it was queued
        queue.defer(db, "train.run", queue="train", job=job)
    return view(training.require(db, job))


@router.get("/{job}/metrics", summary="What was logged, as series over steps")
def get_training_metrics(job: str, db: Transaction) -> SeriesOut:
    """Loss, reward, KL, entropy, length, learning rate, gradient norm, tokens a second, seconds
    left: whatever the method logs."""
    training.require(db, job)
    series: dict[str, list[tuple[int, float | None]]] = {}
    for step, values in training.read_series(db, job):
        for name, value in values.items():
            series.setdefault(name, []).append((step, value))
    return SeriesOut(series=series)


@router.get("/{job}/logs", summary="What the training process printed, its end")
def get_training_logs(
    job: str,
    db: Transaction,
    settings: CurrentSettings,
    attempt: Annotated[
        int | None, Query(ge=1, le=1_000_000, description="default: the last")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000_000, description="characters")] = 65_536,
) -> TrainingLogsOut:
    """Without control characters; what looks like a secret is masked."""
    row = training.require(db, job)
    number = row.attempt if attempt is None else attempt
    if number > row.attempt:
        raise not_found("attempt", str(number), f"the job has begun {row.attempt}")
    shown = TrainingLogsOut(attempt=number, text=None, truncated=False)
    with suppress(FileNotFoundError):  # it was trained elsewhere, or has not begun
        shown.text, shown.truncated = tail(log_file(settings, job, number), limit)
    return shown


@router.get("/{job}/checkpoints", summary="Checkpoints, scored and tested against the start")
def list_checkpoints(job: str, db: Transaction, settings: CurrentSettings) -> Page[CheckpointOut]:
    """The starting model comes first, with a null id."""
    found = curve(db, settings, training.require(db, job))
    return Page(data=found, first_id=found[0].id, last_id=found[-1].id) if found else Page(data=[])


@router.get(
    "/{job}/events",
    summary="What happened, as a list or a stream",
    response_model=Page[EventOut],
    responses=STREAMED,
)
async def list_training_events(job: str, gate: CurrentGate, query: Events) -> Any:
    """With `Accept: text/event-stream`, a stream that ends with the job."""

    def look(db: Connection) -> tuple[str, Mapping[str, Any]]:
        row = training.require(db, job)
        return row.status, {"step": row.step, "total_steps": row.total_steps}

    return await answer(gate, job, query, look, training.FINAL)


def _pair(asked: str) -> tuple[str, str]:
    """Of `key=value`. Raises 422 for anything else."""
    key, equals, value = asked.partition("=")
    if not (key and equals):
        message = f"{asked!r} is not key=value, as team=search"
        raise invalid("invalid_value", message, "metadata")
    return key, value


def _ask(db: Connection, job: str, control: str) -> TrainingOut:
    row = _locked(db, job)
    stopped = "paused" if control == "pause" else "cancelled"
    if row.status == stopped:
        return view(training.require(db, job))
    if row.status in training.FINAL:
        raise ApiError(409, "already_finished", f"the job has {row.status} already", "job")
    if row.status == "running":
        if row.control != control:
            training.ask(db, job, control)
    else:  # nobody is at work on it
        training.finish(db, job, stopped, {"step": row.step})
    return view(training.require(db, job))


def _locked(db: Connection, job: str) -> TrainingJob:
    row = training.lock(db, job)
    if row is None:
        raise not_found("training job", job)
    return row
