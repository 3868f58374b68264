"""/v1/imports: evaluations from the logs of other harnesses, and from tables of scores."""

from __future__ import annotations

from typing import IO, Annotated

from fastapi import Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from service.errors import ApiError, invalid
from service.http.dependencies import CurrentGate, CurrentSettings, Transaction, UnboundKey
from service.http.fields import DatasetName, Name
from service.http.idempotency import Created
from service.http.middleware import FILE_TYPES
from service.http.received import BINARY, digest_of, received, takes_a_file
from service.http.router import Router
from service.imports import admission, contents, formats, records, tables
from service.imports.admission import Chosen, Prepared
from service.imports.formats import Format
from service.imports.schemas import ImportOut
from service.imports.tables import Mapped
from service.imports.views import view
from service.settings import Settings

MOST_RUNS = 500  # of a file

router = Router(prefix="/v1", tags=["imports"])


def _chosen(
    system: Annotated[
        Name | None, Query(description="whose results they are; default: as the file has it")
    ] = None,
    dataset: Annotated[
        DatasetName | None,
        Query(description="that gets the samples; default: the harness and its task"),
    ] = None,
    scores: Annotated[
        list[Name] | None, Query(description="those to import; default: all", max_length=50)
    ] = None,
    lower_is_better: Annotated[
        list[Name] | None, Query(description="scores of which less is better", max_length=50)
    ] = None,
    slices: Annotated[
        list[Name] | None, Query(description="keys of the samples' metadata", max_length=10)
    ] = None,
) -> Chosen:
    return Chosen(system, dataset, scores or (), lower_is_better or (), slices or ())


@router.post(
    "/imports",
    status_code=201,
    responses={
        200: {
            "model": ImportOut,
            "description": "It was imported before, or what would be imported (dry_run)",
        }
    },
    summary="Import results of another harness",
    openapi_extra=takes_a_file(FILE_TYPES),
)
async def import_results(
    request: Request,
    response: Response,
    gate: CurrentGate,
    settings: CurrentSettings,
    key: UnboundKey,
    chosen: Annotated[Chosen, Depends(_chosen)],
    format: Annotated[Format | None, Query(description="default: by what is in the file")] = None,
    file: Annotated[Name | None, Query(description="the file's name")] = None,
    mapping: Annotated[
        str | None,
        Query(description="fields of a table's columns: question:prompt,answer:output,acc:score"),
    ] = None,
    dry_run: Annotated[bool, Query(description="say what would be imported, and store nothing")] = (
        False
    ),
) -> ImportOut:
    """The body is the file: a log of lm-evaluation-harness, Inspect, HELM or Every Eval Ever, a tar
    or a zip of several, or a table (CSV, JSON, JSON Lines, Parquet) with a row for each sample.

    Each task of each system becomes an evaluation. Where the file has a value for each sample,
    intervals, comparisons, boards and slices are computed from these rows. A value without rows is
    kept as reported, with a warning, and never tested. The signature names harness, version, task,
    score and filter, so boards do not mix these scores with others. The same file with the same
    parameters again gives the same evaluations.

    A table's columns are guessed by their names and contents: `dry_run=true` shows what they are
    taken for, `mapping` says it.
    """
    mapped = tables.parsed(mapping)
    named = file or "file"
    async with received(request) as body:
        kind, shown, ready = await run_in_threadpool(
            _read, body.file, settings, format, named, chosen, mapped
        )
        digest = await run_in_threadpool(digest_of, body.file)
    about = {"format": kind, "file": named, "digest": digest}

    def create(db: Connection) -> Created[ImportOut]:
        ids, made = admission.store_all(db, ready, settings, chosen, about, shown)
        return Created(_answer(kind, shown, ready, ids), 201 if made else 200)

    if dry_run:
        response.status_code = 200
        return _answer(kind, shown, ready, None)
    bound = key.bound(body.bound)
    created = await gate.run(lambda db: bound.once(db, ImportOut, create))
    response.status_code = created.status
    return created.content


def _read(
    upload: IO[bytes],
    settings: Settings,
    format_: Format | None,
    name: str,
    chosen: Chosen,
    mapping: Mapped,
) -> tuple[str, Mapped | None, list[Prepared]]:
    """The format, what a table's columns are, and the runs. Raises ApiError."""
    inside = contents.uploaded(upload, name, settings)
    kind = format_ or formats.detected(inside)
    task = chosen.dataset or name.rpartition("/")[2].partition(".")[0] or "table"
    found, shown = formats.read(inside, kind, chosen.system, mapping, task)
    rows = sum(len(run.samples) for run in found)
    if rows > settings.max_upload_rows or len(found) > MOST_RUNS:
        limit = f"{settings.max_upload_rows} samples (ASSAY_MAX_UPLOAD_ROWS) or {MOST_RUNS} runs"
        raise ApiError(413, "file_too_large", f"the file has over {limit}")
    for field in ("system", "dataset"):
        several = {run.system if field == "system" else run.task for run in found}
        if getattr(chosen, field) is not None and len(several) > 1:
            message = f"the file has {len(several)}, and one name cannot stand for all: leave "
            raise invalid("several_runs", f"{message}`{field}` out", field)
    return kind, shown, admission.prepared(found, chosen, shown)


def _answer(
    kind: str, mapping: Mapped | None, ready: list[Prepared], ids: list[str] | None
) -> ImportOut:
    made = ids if ids is not None else [None] * len(ready)
    return ImportOut(
        format=kind,
        dry_run=ids is None,
        mapping=dict(mapping) if mapping is not None else None,
        evaluations=[view(one, id) for one, id in zip(ready, made, strict=True)],
    )


@router.get(
    "/evaluations/{evaluation}/every_eval_ever",
    response_class=Response,
    responses={
        200: {
            "content": {"application/x-tar": BINARY},
            "description": "A tar of two files",
        }
    },
    summary="Export an evaluation as Every Eval Ever records",
)
def export_records(evaluation: str, db: Transaction) -> Response:
    """A tar with the aggregate record of Every Eval Ever 0.3 (values, intervals, standard errors,
    how they were made) and a line for each sample and score."""
    name, content = records.tarred(db, evaluation)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/x-tar", headers=headers)
