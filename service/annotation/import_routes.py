"""/v1/annotation_projects/imports: projects made of logs of votes."""

from __future__ import annotations

import hashlib
from typing import IO, Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from service.annotation import imported, store
from service.annotation.battle_files import battles, parsed
from service.annotation.battles import Battle
from service.annotation.schemas import AnnotationProjectOut
from service.annotation.views import project_views
from service.errors import ApiError
from service.http.dependencies import CurrentGate, CurrentSettings, UnboundKey
from service.http.fields import Name
from service.http.idempotency import Created
from service.http.middleware import FILE_TYPES
from service.http.received import digest_of, received, takes_a_file
from service.imports import store as imports
from service.imports.contents import uploaded
from service.settings import Settings

router = APIRouter(prefix="/v1/annotation_projects", tags=["annotation"])


@router.post(
    "/imports",
    status_code=201,
    responses={200: {"model": AnnotationProjectOut, "description": "It was imported before"}},
    summary="Make a project of votes from elsewhere",
    openapi_extra=takes_a_file(FILE_TYPES),
)
async def import_votes(
    request: Request,
    response: Response,
    gate: CurrentGate,
    settings: CurrentSettings,
    key: UnboundKey,
    name: Annotated[Name, Query(description="of the project")],
    file: Annotated[Name | None, Query(description="the file's name")] = None,
    mapping: Annotated[
        str | None,
        Query(description="fields of columns of other names: left:output_a,verdict:winner"),
    ] = None,
) -> AnnotationProjectOut:
    """The body is a log of LMArena, a table (CSV, JSON, JSON Lines, Parquet), or the JSON export of
    Label Studio, with a row for each vote on two outputs: `model_a`, `model_b`, `winner` (model_a,
    model_b, tie, or a system's name), and where there are some `prompt`, `output_a`, `output_b` (or
    conversations), `question`, `annotator` (or judge), `comment`.

    The project is closed, and all that can be asked of projects can be asked of it. The same file
    again, in the same way, is the same project, with status 200. All rows are checked before
    anything is stored, and the first twenty errors are told by row and column.
    """
    columns = parsed(mapping)
    async with received(request) as body:
        found, taken, content = await run_in_threadpool(
            _read, body.file, settings, file or "file", columns
        )
    same = orjson.dumps([content, name, columns], option=orjson.OPT_SORT_KEYS)
    digest = f"sha256:{hashlib.sha256(same).hexdigest()}"
    about = {"file": file, "columns": taken, "digest": digest}

    def create(db: Connection) -> Created[AnnotationProjectOut]:
        imports.lock(db, digest)
        known = imported.find(db, digest)
        id = known or imported.make(db, name, found, about)
        return Created(project_views(db, [store.require(db, id)])[0], 201 if known is None else 200)

    bound = key.bound(body.bound)
    created = await gate.run(lambda db: bound.once(db, AnnotationProjectOut, create))
    return created.sent(response)


def _read(
    upload: IO[bytes], settings: Settings, name: str, mapping: dict[str, str]
) -> tuple[list[Battle], dict[str, str], str]:
    """The votes, which columns were taken for what, and the file's digest. Raises ApiError."""
    found, taken = battles(uploaded(upload, name, settings), mapping)
    if len(found) > settings.max_upload_rows:
        limit = f"{settings.max_upload_rows} rows, the limit that ASSAY_MAX_UPLOAD_ROWS sets"
        raise ApiError(413, "file_too_large", f"the file has over {limit}")
    return found, taken, digest_of(upload)
