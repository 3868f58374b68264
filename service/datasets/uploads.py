"""POST /v1/datasets/upload: a dataset's version from a file, JSONL, CSV, Parquet, Arrow."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from service.datasets import store as datasets
from service.datasets.columns import parsed
from service.datasets.files import Format, rows
from service.datasets.routes import view
from service.datasets.schemas import DatasetOut, Kind, checked
from service.datasets.staging import Staged
from service.errors import invalid
from service.http.dependencies import CurrentGate, CurrentSettings, UnboundKey
from service.http.fields import DatasetName
from service.http.idempotency import Created
from service.http.middleware import FILE_TYPES
from service.http.received import received, takes_a_file
from service.http.router import Router

router = Router(prefix="/v1/datasets", tags=["datasets"])


@router.post(
    "/upload",
    status_code=201,
    responses={200: {"model": DatasetOut, "description": "A version with this content is there"}},
    summary="Make a version of a dataset from a file",
    openapi_extra=takes_a_file(FILE_TYPES),
)
async def upload_dataset(
    request: Request,
    response: Response,
    gate: CurrentGate,
    settings: CurrentSettings,
    key: UnboundKey,
    name: Annotated[DatasetName, Query()],
    format: Annotated[Format, Query(description="of the body")],
    kind: Annotated[Kind, Query()] = "eval",
    mapping: Annotated[
        str | None,
        Query(description="fields of columns of other names: question:prompt,answer:references"),
    ] = None,
) -> DatasetOut:
    """The body is the file:
    `curl --data-binary @news.jsonl -H 'content-type: application/octet-stream' '…/upload?…'`.

    Columns are a record's fields: id, prompt, references (a JSON list, or one text), tests;
    `mapping` says which other columns hold some. The layouts of Alpaca (instruction, input, output)
    and ShareGPT (conversations), and prompts and answers that are lists of messages, are read as
    they are. The rest of a table's columns goes into the metadata. CSV may be divided by commas,
    semicolons, tabs or bars; `arrow` is a stream or a file of Arrow, `tar` an archive of a folder
    that `save_to_disk` has made. All rows are checked before anything is stored, and the first
    twenty errors are told by row and field.
    """
    columns = parsed(mapping, kind)
    with Staged() as staged:
        async with received(request) as body:
            body.file.seek(0)
            content = checked(rows(body.file, format, kind, columns), kind)
            await run_in_threadpool(staged.fill, content, settings)
        if not staged:
            raise invalid("empty_file", "the file has no rows")

        def create(db: Connection) -> Created[DatasetOut]:
            dataset, new = datasets.put(db, name, kind, staged)
            return Created(view(dataset), 201 if new else 200)

        bound = key.bound(body.bound)
        created = await gate.run(lambda db: bound.once(db, DatasetOut, create))
    return created.sent(response)
