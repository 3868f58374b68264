"""/v1/annotation_projects/imports: projects made of logs of votes."""

from __future__ import annotations

import hashlib
from typing import IO, Annotated, Literal

import orjson
from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from service.annotation import store
from service.annotation.schemas import AnnotationProjectOut
from service.annotation.views import project_views
from service.errors import ApiError
from service.http.dependencies import CurrentGate, CurrentSettings, UnboundKey
from service.http.fields import Name
from service.http.idempotency import Created
from service.http.middleware import FILE_TYPES
from service.http.received import digest_of, received, takes_a_file
from service.http.router import Router
from service.imports import store as imports
from service.imports.contents import uploaded
from service.settings import Settings
from service.vote_exchange import additions, imported, scales
from service.vote_exchange.columns import parsed
from service.vote_exchange.files import Asked, VoteFile, read
from service.vote_exchange.import_schemas import VoteImportOut

router = Router(prefix="/v1/annotation_projects", tags=["annotation"])

ForeignForm = Literal["pairwise", "likert", "label", "best_worst"]
FileName = Annotated[Name | None, Query(description="the file's name")]
Mapped = Annotated[
    str | None,
    Query(description="fields of columns of other names: left:output_a,verdict:winner"),
]
System = Annotated[Name | None, Query(description="whose outputs these are, if no column has it")]


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
    file: FileName = None,
    mapping: Mapped = None,
    system: System = None,
    form: Annotated[ForeignForm | None, Query(description="default: as the columns say")] = None,
    scale: Annotated[
        str | None, Query(description="of ratings: 1,5, or helpfulness:1,5;safe:0,1")
    ] = None,
    labels: Annotated[str | None, Query(description="that there are: good,bad")] = None,
) -> AnnotationProjectOut:
    """The body is a log of LMArena, a table (CSV, JSON, JSON Lines, Parquet), the JSON export of
    Label Studio, or a file of `GET …/votes?texts=true`, with a row for each vote:

    - pairwise: `model_a`, `model_b`, `winner` (model_a, model_b, tie, or a system's name)
    - likert: `system`, and `criterion` with `rating` or a column for each criterion
    - label: `system` and `label`
    - best_worst: `model_a`, `model_b`, …, `best`, `worst`

    and where there are some `prompt`, `output` or `output_a`, … (or conversations), `question`,
    `annotator` (or judge), `comment`, `seconds`.

    The project is closed, and all that can be asked of projects can be asked of it. The same file
    again, in the same way, is the same project, with status 200. All rows are checked before
    anything is stored, and the first twenty errors are told by row and column.
    """
    asked = Asked(parsed(mapping), form, system)
    said = scales.given(scale, labels)
    async with received(request) as body:
        found, content = await run_in_threadpool(_read, body.file, settings, file or "file", asked)
    options = [one for one in (form, system, scale, labels) if one is not None]
    same = [content, name, asked.mapping, *([[form, system, scale, labels]] if options else [])]
    told = orjson.dumps(same, option=orjson.OPT_SORT_KEYS)
    digest = f"sha256:{hashlib.sha256(told).hexdigest()}"
    about = {"file": file, "columns": dict(found.columns), "digest": digest}

    def create(db: Connection) -> Created[AnnotationProjectOut]:
        imports.lock(db, digest)
        known = imported.find(db, digest)
        id = known or imported.make(db, name, found, said, about)
        return Created(project_views(db, [store.require(db, id)])[0], 201 if known is None else 200)

    bound = key.bound(body.bound)
    created = await gate.run(lambda db: bound.once(db, AnnotationProjectOut, create))
    return created.sent(response)


@router.post(
    "/{project}/imports",
    status_code=201,
    responses={200: {"model": VoteImportOut, "description": "All of them were there before"}},
    summary="Add votes from elsewhere to a project",
    openapi_extra=takes_a_file(FILE_TYPES),
)
async def add_votes(
    project: str,
    request: Request,
    response: Response,
    gate: CurrentGate,
    settings: CurrentSettings,
    key: UnboundKey,
    file: FileName = None,
    mapping: Mapped = None,
    system: System = None,
    beyond_overlap: Annotated[
        bool, Query(description="votes on an item may be more than the project's overlap")
    ] = False,
) -> VoteImportOut:
    """The body is a file of `GET …/votes`, of this project or another, or one that `POST
    /v1/annotation_projects/imports` takes, of the project's form. A vote is on the item of its
    `sample` (or `question`) and systems; where these are not known, on that with its texts. Votes
    on other texts than the item's, on no item, and beyond the overlap are left out, and counted.

    Imported votes are marked, and count as others do. Who cast them becomes an annotator without a
    link. The same file again adds nothing, with status 200. All rows are checked before anything is
    stored; where no row is on an item, that is told by row and column.
    """
    found = await gate.run(lambda db: store.share(db, project))
    criteria = [str(one["name"]) for one in found.definition["criteria"]]
    asked = Asked(parsed(mapping), found.definition["form"], system, criteria)
    async with received(request) as body:
        votes, content = await run_in_threadpool(_read, body.file, settings, file or "file", asked)

    def create(db: Connection) -> Created[VoteImportOut]:
        added = additions.add(db, store.share(db, project), votes, content, beyond_overlap)
        made = VoteImportOut(
            project=project,
            rows=len(votes.votes),
            votes=added.votes,
            annotators=added.people,
            left_out=dict(added.left_out),
            columns=dict(votes.columns),
        )
        return Created(made, 201 if added.votes else 200)

    bound = key.bound(body.bound)
    created = await gate.run(lambda db: bound.once(db, VoteImportOut, create))
    return created.sent(response)


def _read(upload: IO[bytes], settings: Settings, name: str, asked: Asked) -> tuple[VoteFile, str]:
    """The votes, and the file's digest. Raises ApiError."""
    found = read(uploaded(upload, name, settings), asked)
    if len(found.votes) > settings.max_upload_rows:
        limit = f"{settings.max_upload_rows} rows, the limit that ASSAY_MAX_UPLOAD_ROWS sets"
        raise ApiError(413, "file_too_large", f"the file has over {limit}")
    return found, digest_of(upload)
