"""Evaluations that travel: an archive to take away, one to load, and a part measured again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from metrics.core.archive import Archive
from metrics.core.stored_zip import TooLarge
from service.archives import store as archives
from service.archives.admission import Opened, load, opened
from service.archives.schemas import AuditIn, AuditOut
from service.datasets import store as datasets
from service.db import worker_requests
from service.errors import ApiError
from service.evaluations import store as evaluations
from service.evaluations.schemas import EvaluationOut
from service.evaluations.store import Evaluation
from service.evaluations.views import view
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Patience, UnboundKey
from service.http.fields import DatasetName
from service.http.idempotency import Created
from service.http.middleware import ARCHIVE_TYPES
from service.http.received import BINARY, SPOOLED, received, takes_a_file
from service.http.router import Router
from service.http.waiting import answer_to
from service.jobs import queue

router = Router(prefix="/v1", tags=["archives"], route_class=BodyRoute)

CHUNK = 1 << 20
ONE = CapacityLimiter(1)  # archive is looked into at a time: each takes memory and the processor


@router.get(
    "/evaluations/{evaluation}/archive",
    summary="All of an evaluation as one file",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": BINARY}}},
)
async def get_archive(evaluation: str, gate: CurrentGate) -> StreamingResponse:
    """Records, outputs, rows, evidence, scores, provenance, and a digest over all. `assay verify`
    computes every number again from it; `POST /v1/archives` loads it elsewhere."""
    file = tempfile.SpooledTemporaryFile(max_size=SPOOLED)  # noqa: SIM115
    try:
        await gate.run(lambda db: _write(db, evaluation, file))
    except BaseException:
        file.close()
        raise
    headers = {
        "content-disposition": f'attachment; filename="{evaluation}.zip"',
        "content-length": str(file.seek(0, 2)),
    }
    return StreamingResponse(_sent(file), media_type="application/zip", headers=headers)


@router.post(
    "/archives",
    status_code=201,
    responses={200: {"model": EvaluationOut, "description": "It is here already"}},
    summary="Load an archive",
    openapi_extra=takes_a_file(ARCHIVE_TYPES),
)
async def import_archive(
    request: Request,
    response: Response,
    gate: CurrentGate,
    settings: CurrentSettings,
    key: UnboundKey,
    dataset: Annotated[
        DatasetName | None, Query(description="to store its records under; default: as they were")
    ] = None,
) -> EvaluationOut:
    """The body is the file: `curl --data-binary @eval.zip -H 'content-type: application/zip' …`.

    Its numbers are computed again from its rows first: an archive whose numbers differ, or of which
    a byte was changed, is a 422 that says what. The evaluation shows its `origin`; the same archive
    again is the same evaluation, and a 409 where another dataset is named than the one it is on.
    So is an archive of this very service; where its evaluation was measured again since, a 409.
    """
    async with received(request) as body:
        found = await to_thread.run_sync(opened, body.file, settings, limiter=ONE)

        def create(db: Connection) -> Created[EvaluationOut]:
            known = archives.of_archive(db, found.archive.manifest.digest) or _own(db, found)
            if known and dataset:
                _require_dataset(db, known, dataset)
            id = known or load(db, found, settings, dataset)
            return Created(view(db, _succeeded(db, id)), 200 if known else 201)

        bound = key.bound(body.bound)
        created = await gate.run(lambda db: bound.once(db, EvaluationOut, create))
    shown = created.sent(response)
    response.headers["Location"] = f"/v1/evaluations/{shown.id}"
    return shown


@router.post("/evaluations/{evaluation}/audit", summary="Measure a part again")
async def audit_evaluation(
    evaluation: str,
    body: AuditIn,
    gate: CurrentGate,
    wait: Patience,
) -> AuditOut:
    """A worker measures a random part of the samples anew, without the cache, and compares what it
    sees with what is stored. Nothing is changed. `Prefer: wait=600` waits longer than 120 s."""

    def ask(db: Connection) -> str:
        row = _succeeded(db, evaluation)
        asked = {"evaluation": row.id, **body.model_dump()}
        request = worker_requests.add(db, "audit", asked)
        queue.defer(db, "archive.audit", request=request)
        return request

    request = await gate.run(ask)
    advice = ", or ask for a smaller fraction"
    answered = await answer_to(gate, request, wait, advice)
    return AuditOut.model_validate(answered)


def _own(db: Connection, found: Opened) -> str | None:
    """The id of the evaluation here that the archive was written of, if it was: a second one would
    take its place on boards. Raises 409 where that has other content now."""
    row = archives.own(db, found.archive)
    if row is None:
        return None
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as file:
        _write(db, row.id, file)
        if Archive(file).manifest.content == found.archive.manifest.content:
            return row.id
    message = (
        f"the archive is of {row.id}, which is here and has other content now: it was measured "
        "again, or the archive was changed"
    )
    raise ApiError(409, "archive_of_this_service", message, None, {"x-should-retry": "false"})


def _require_dataset(db: Connection, evaluation: str, name: str) -> None:
    """Raises 409 where the evaluation is on a dataset of another name."""
    there = datasets.require(db, _succeeded(db, evaluation).dataset_id).name
    if there != name:
        message = (
            f"the archive is here already, as {evaluation} on the dataset {there!r}, and an "
            f"evaluation is on one dataset: leave `dataset` out, or name {there!r}, to get it"
        )
        again = {"x-should-retry": "false"}  # common clients retry 409
        raise ApiError(409, "archive_on_other_dataset", message, "dataset", again)


def _write(db: Connection, evaluation: str, file: IO[bytes]) -> None:
    try:
        archives.write(db, _succeeded(db, evaluation), file)
    except TooLarge as error:
        raise ApiError(409, error.code, error.message, "evaluation") from None


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    """The file from its beginning; it is closed at the end, or when nobody reads on."""
    with file:
        file.seek(0)
        while piece := file.read(CHUNK):
            yield piece


def _succeeded(db: Connection, evaluation: str) -> Evaluation:
    """Raises 404 where there is none, 409 where it has no result to take away or to measure."""
    row = evaluations.require(db, evaluation)
    if row.status != "succeeded":
        message = f"the evaluation is {row.status}: only one that has succeeded has an archive"
        raise ApiError(409, "not_succeeded", message, "evaluation")
    return row
