"""POST /v1/datasets/upload: a dataset's version from a file, JSONL, CSV or Parquet, streamed."""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Collection, Iterator
from datetime import date
from typing import IO, Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection

from service.datasets import store as datasets
from service.datasets.routes import DatasetOut, view
from service.datasets.schemas import KINDS, Kind, checked
from service.errors import ApiError, invalid
from service.http.dependencies import CurrentGate, UnboundKey
from service.http.fields import DatasetName
from service.http.idempotency import Created

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

Format = Literal["jsonl", "csv", "parquet"]

csv.field_size_limit(64 * 1024**2)  # a prompt may be a book: the default is 128 KiB

SPOOLED = 16 * 1024**2  # bytes kept in memory before the upload goes to a file
LISTS = ("references", "messages")  # may hold a JSON list; any other value is a list of one


@router.post(
    "/upload",
    status_code=201,
    summary="Make a version of a dataset from a file",
    openapi_extra={
        "requestBody": {
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            }
        }
    },
)
async def upload_dataset(
    request: Request,
    response: Response,
    gate: CurrentGate,
    key: UnboundKey,
    name: Annotated[DatasetName, Query()],
    format: Annotated[Format, Query(description="of the body")],
    kind: Annotated[Kind, Query()] = "eval",
) -> DatasetOut:
    """The body is the file: `curl --data-binary @news.jsonl '…/upload?name=news&format=jsonl'`.

    Columns are a record's fields: id, prompt, references (a JSON list, or one text), tests; every
    other column of a CSV or Parquet file goes into the metadata. All rows are checked before
    anything is stored, and the first twenty errors are told by row and field.
    """
    body = hashlib.sha256(str(request.query_params).encode())
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as spooled:
        async for chunk in request.stream():
            body.update(chunk)
            await run_in_threadpool(spooled.write, chunk)

        def create(db: Connection) -> Created[DatasetOut]:
            spooled.seek(0)
            content = checked(_rows(spooled, format, kind), kind)
            if not content:
                raise invalid("empty_file", "the file has no rows")
            dataset, new = datasets.put(db, name, kind, content)
            return Created(view(dataset), 201 if new else 200)

        bound = key.bound(body.digest())
        created = await gate.run(lambda db: bound.once(db, DatasetOut, create))
    response.status_code = created.status
    return created.content


def _rows(source: IO[bytes], format_: Format, kind: str) -> Iterator[dict[str, Any]]:
    """The file's rows, as the fields of records. Raises ApiError for what cannot be parsed."""
    if format_ == "jsonl":
        yield from _jsonl(source)
        return
    fields = KINDS[kind].model_fields
    for row in _csv(source) if format_ == "csv" else _parquet(source):
        yield _as_record(row, fields)


def _jsonl(source: IO[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise _unreadable(f"line {number} is not valid JSON: {error}") from None
        if not isinstance(row, dict):
            raise _unreadable(f"line {number} is not a JSON object")
        yield row


def _csv(source: IO[bytes]) -> Iterator[dict[str, Any]]:
    def lines() -> Iterator[str]:
        for number, line in enumerate(source, 1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise _unreadable(f"line {number} is not UTF-8") from None

    try:
        for row in csv.DictReader(lines(), strict=True):
            yield {key or "": value for key, value in row.items() if value}
    except csv.Error as error:
        raise _unreadable(f"not valid CSV: {error}") from None


def _parquet(source: IO[bytes]) -> Iterator[dict[str, Any]]:
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(source).iter_batches(1024):
            for row in batch.to_pylist():
                yield {key: value for key, value in row.items() if value is not None}
    except (arrow.ArrowInvalid, OSError) as error:
        raise _unreadable(f"not valid Parquet: {error}") from None


def _as_record(row: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """A table's row: lists parsed, columns that are no field of a record put into its metadata."""
    record: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for name, value in row.items():
        if name in LISTS:
            record[name] = _listed(value)
        elif name == "metadata" and isinstance(value, str):
            metadata |= _parsed(value, dict) or {"metadata": value}
        elif name == "metadata":
            metadata |= value if isinstance(value, dict) else {"metadata": value}
        elif name in fields:
            record[name] = str(value) if name == "id" else value
        else:
            metadata[name] = value.isoformat() if isinstance(value, date) else value
    return record | ({"metadata": metadata} if metadata else {})


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return _parsed(value, list) or [value]
    return value


def _parsed(text: str, kind: type) -> Any:
    """The JSON in `text`, if it is of that kind."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, kind) else None


def _unreadable(message: str) -> ApiError:
    return ApiError(422, "unreadable_file", message)
