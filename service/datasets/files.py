"""The rows of a file, JSONL, CSV or Parquet, as the fields of records."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from datetime import date
from typing import IO, Any, Literal

import orjson

from service.datasets.schemas import KINDS
from service.errors import ApiError
from service.http.json_reader import WINDOW, Reader

Format = Literal["jsonl", "csv", "parquet"]

LONGEST_LINE = 64 * 1024**2  # bytes: a prompt may be a book, and is read as a whole

csv.field_size_limit(LONGEST_LINE)  # the default is 128 KiB

LISTS = ("references", "messages")  # may hold a JSON list; any other value is a list of one


def rows(source: IO[bytes], format_: Format, kind: str) -> Iterator[dict[str, Any]]:
    """The file's rows, as the fields of records. Raises ApiError for what cannot be parsed."""
    if format_ == "jsonl":
        yield from _jsonl(source)
        return
    fields = KINDS[kind].model_fields
    for row in _csv(source) if format_ == "csv" else _parquet(source):
        yield _as_record(row, fields)


def _jsonl(source: IO[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_lines(source), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line) if len(line) <= WINDOW else Reader(line.decode()).whole()
        except (ValueError, RecursionError) as error:
            raise _unreadable(f"line {number} is not valid JSON: {error}") from None
        if not isinstance(row, dict):
            raise _unreadable(f"line {number} is not a JSON object")
        yield row


def _csv(source: IO[bytes]) -> Iterator[dict[str, Any]]:
    def lines() -> Iterator[str]:
        for number, line in enumerate(_lines(source), 1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise _unreadable(f"line {number} is not UTF-8") from None

    try:
        for row in csv.DictReader(lines(), strict=True):
            yield {key or "": value for key, value in row.items() if value}
    except csv.Error as error:
        raise _unreadable(f"not valid CSV: {error}") from None


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    number = 0
    while line := source.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            message = f"line {number} has over {LONGEST_LINE} bytes, the most that a line may have"
            raise ApiError(413, "line_too_long", message)
        yield line


def _parquet(source: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Row by row, texts as places in dictionaries until then: a page of a few bytes may stand for
    gigabytes of rows."""
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        schema = parquet.ParquetFile(source).schema
        leaves = [schema.column(at) for at in range(len(schema))]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        source.seek(0)
        for batch in parquet.ParquetFile(source, read_dictionary=texts).iter_batches(1024):
            columns = list(zip(batch.schema.names, batch.columns, strict=True))
            for index in range(batch.num_rows):
                row = {name: column[index].as_py() for name, column in columns}
                yield {name: value for name, value in row.items() if value is not None}
    except (arrow.ArrowException, ValueError, OSError) as error:
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
