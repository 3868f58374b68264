"""/v1/evaluations: outputs in, scores out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Header, Query, Response
from sqlalchemy import Connection

from service.datasets import store as datasets
from service.datasets.routes import view as dataset_view
from service.datasets.schemas import DatasetOut
from service.errors import ApiError, not_found
from service.evaluations import store as evaluations
from service.evaluations.admission import admit, admit_again
from service.evaluations.best import put_best
from service.evaluations.judged import report, transcripts
from service.evaluations.judged_schemas import JudgeReportOut, TranscriptOut
from service.evaluations.sample_schemas import SampleOut
from service.evaluations.samples import ordered_samples
from service.evaluations.schemas import BestIn, EvaluationIn, EvaluationOut, RetryIn
from service.evaluations.tables import evaluation_table
from service.evaluations.views import progress, view, views
from service.http.answers import STREAMED
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Idempotent, Transaction
from service.http.event_stream import EventOut, Events, answer
from service.http.fields import Limit, Order, Page, page
from service.http.formats import TABLES, in_forms
from service.http.gate import Gate
from service.http.idempotency import Created
from service.http.router import Router
from service.http.waiting import preferred_wait, until
from service.jobs import queue

router = Router(prefix="/v1/evaluations", tags=["evaluations"], route_class=BodyRoute)


@router.post(
    "",
    status_code=202,
    responses={200: {"model": EvaluationOut, "description": "It has ended within the wait"}},
    summary="Score outputs",
)
async def create_evaluation(
    body: EvaluationIn,
    response: Response,
    gate: CurrentGate,
    settings: CurrentSettings,
    key: Idempotent,
    prefer: Annotated[str | None, Header()] = None,
) -> EvaluationOut:
    """Queues the evaluation and answers 202; with `Prefer: wait=30`, 200 once it has ended."""

    def create(db: Connection) -> Created[EvaluationOut]:
        return Created(view(db, evaluations.require(db, admit(db, body, settings))), 202)

    created = await gate.run(lambda db: key.once(db, EvaluationOut, create))
    shown = created.sent(response)
    response.headers["Location"] = f"/v1/evaluations/{shown.id}"
    return await _waited(gate, response, shown, preferred_wait(prefer))


@router.get("", summary="List evaluations")
def list_evaluations(
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
    system: str | None = None,
    dataset: str | None = None,
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"] | None = None,
) -> Page[EvaluationOut]:
    """Evaluations with their scores; of one system, dataset or status where it is given."""
    dataset_id = datasets.require(db, dataset).id if dataset else None
    rows = evaluations.page(
        db,
        after=after,
        limit=limit + 1,
        descending=order == "desc",
        system=system,
        dataset_id=dataset_id,
        status=status,
    )
    return page(views(db, rows), limit)


@router.get("/{evaluation}", summary="One evaluation, with its scores", responses=TABLES)
@in_forms(evaluation_table)
async def get_evaluation(
    evaluation: str,
    response: Response,
    gate: CurrentGate,
    prefer: Annotated[str | None, Header()] = None,
) -> EvaluationOut:
    """With `Prefer: wait=30`, answers once it has ended or the time is up."""
    shown = await gate.run(lambda db: view(db, evaluations.require(db, evaluation)))
    response.status_code = 200
    return await _waited(gate, response, shown, preferred_wait(prefer))


@router.post("/{evaluation}/cancel", summary="Stop an evaluation")
def cancel_evaluation(evaluation: str, db: Transaction) -> EvaluationOut:
    """What is measured stays in the cache. Cancelling twice is fine; a finished one is a 409."""
    locked = evaluations.lock(db, evaluation)
    if locked is None:
        raise not_found("evaluation", evaluation)
    if locked.status in {"succeeded", "failed"}:
        message = f"the evaluation has {locked.status} already"
        raise ApiError(409, "already_finished", message, "evaluation")
    if locked.status != "cancelled":
        evaluations.finish(db, evaluation, "cancelled", {})
        queue.cancel_all(db, evaluation=evaluation)
    return view(db, evaluations.require(db, evaluation))


@router.post(
    "/{evaluation}/retry",
    status_code=202,
    responses={200: {"model": EvaluationOut, "description": "Nothing of it has failed"}},
    summary="Measure again what failed",
)
def retry_evaluation(
    evaluation: str,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
    body: RetryIn | None = None,
) -> EvaluationOut:
    """Failed metrics, and samples that were not reached, are measured again; what is measured
    stays. With a `budget`, what the old one had no room for is asked for, too, of judges as well. A
    409 while the evaluation has not ended, and when it was cancelled."""

    def again(db: Connection) -> Created[EvaluationOut]:
        status = 202 if admit_again(db, settings, evaluation, body) else 200
        return Created(view(db, evaluations.require(db, evaluation)), status)

    return key.once(db, EvaluationOut, again).sent(response)


@router.post(
    "/{evaluation}/best",
    status_code=201,
    responses={200: {"model": DatasetOut, "description": "There is such a version already"}},
    summary="Make a dataset of the best outputs",
)
def create_best(
    evaluation: str,
    body: BestIn,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> DatasetOut:
    """Rejection sampling: of each sample's outputs the best by a score, with its prompt, as a
    dataset of kind sft. Outputs that were not measured are never the best."""

    def create(db: Connection) -> Created[DatasetOut]:
        made, new = put_best(db, settings, evaluations.require(db, evaluation), body)
        return Created(dataset_view(made), 201 if new else 200)

    return key.once(db, DatasetOut, create).sent(response)


@router.get("/{evaluation}/samples", summary="Samples with their scores, worst first")
def list_samples(
    evaluation: str,
    db: Transaction,
    sort: Annotated[str | None, Query(description="a score's name, as chrf")] = None,
    order: Annotated[
        Order | None,
        Query(description="of values, or of the dataset; default: the score's worst first"),
    ] = None,
    slice: Annotated[str | None, Query(description="as lang=ru; default: all")] = None,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
) -> Page[SampleOut]:
    """By a score's per-sample value, or in the dataset's order; unmeasured ones come last.

    Without `order`, worst first: the lowest where higher is better, the highest where lower is.
    `asc` and `desc` are of the values themselves, whatever is better."""
    row = evaluations.require(db, evaluation)
    samples = ordered_samples(
        db,
        row,
        sort=sort,
        order=order,
        slice_=slice,
        after=after,
        limit=limit + 1,
    )
    return page(samples, limit)


@router.get("/{evaluation}/transcripts", summary="What judges were asked and said")
def list_transcripts(
    evaluation: str,
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
) -> Page[TranscriptOut]:
    """Samples in the dataset's order, each with the questions put to the metric `judge`, its
    answers, what was read in them, and why an answer has no value. Also while it runs."""
    return page(
        transcripts(db, evaluations.require(db, evaluation), after=after, limit=limit + 1), limit
    )


@router.get("/{evaluation}/judge_report", summary="What judges are biased by")
def get_judge_report(evaluation: str, db: Transaction) -> JudgeReportOut:
    """Position, order flips, length and self-preference of every judge, with intervals; of a panel,
    how far it agrees. A 409 where no judge's answers are in."""
    return report(db, evaluations.require(db, evaluation))


@router.get(
    "/{evaluation}/events",
    summary="What happened, as a list or a stream",
    response_model=Page[EventOut],
    responses=STREAMED,
)
async def list_events(evaluation: str, gate: CurrentGate, query: Events) -> Any:
    """With `Accept: text/event-stream`, a stream that ends with the evaluation and resumes by
    `Last-Event-ID`."""

    def look(db: Connection) -> tuple[str, Mapping[str, Any]]:
        row = evaluations.require(db, evaluation)
        return row.status, progress(row)

    return await answer(gate, evaluation, query, look, evaluations.FINAL)


async def _waited(
    gate: Gate, response: Response, shown: EvaluationOut, wait: float
) -> EvaluationOut:
    """The evaluation once it has ended, with status 200, or as it is when the time is up."""
    if not wait or shown.status in evaluations.FINAL:
        return shown

    def ended(db: Connection) -> bool:
        return evaluations.status(db, shown.id) in evaluations.FINAL

    if await until(gate, shown.id, ended, wait):
        response.status_code = 200
    return await gate.run(lambda db: view(db, evaluations.require(db, shown.id)))
