"""The rows of a file, JSONL, CSV or Parquet, as the fields of records."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from itertools import chain
from typing import IO, Any, Literal

import orjson

from service.datasets import columns
from service.datasets.schemas import KINDS
from service.errors import ApiError

Format = Literal["jsonl", "csv", "parquet"]

csv.field_size_limit(64 * 1024**2)  # a prompt may be a book: the default is 128 KiB

DELIMITERS = ",;\t|"  # of CSV; the header tells which

LISTS = ("references", "messages")  # may hold a JSON list; any other value is a list of one


def rows(
    source: IO[bytes], format_: Format, kind: str, mapping: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """The file's rows, as the fields of records.

    mapping  fields by the columns that hold them, where the names differ

    Raises ApiError for what cannot be parsed, and for tables without a column that is a field.
    """
    mapping = mapping or {}
    if format_ == "jsonl":
        for row in _jsonl(source):
            yield {mapping.get(name, name): value for name, value in row.items()}
        return
    fields = KINDS[kind].model_fields
    named, table = _csv(source, mapping, kind) if format_ == "csv" else _parquet(source)
    columns.check(named, mapping, kind)
    for row in table:
        yield _as_record({mapping.get(name, name): value for name, value in row.items()}, fields)


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


Table = tuple[list[str], Iterator[dict[str, Any]]]  # names of the columns, rows by them


def _csv(source: IO[bytes], mapping: Mapping[str, str], kind: str) -> Table:
    lines = _lines(source)
    first = next(lines, "")
    known = {*mapping, *columns.fields_of(kind)}
    reader = csv.DictReader(chain([first], lines), strict=True, delimiter=_delimiter(first, known))

    def read() -> Iterator[dict[str, Any]]:
        try:
            for row in reader:
                yield {key or "": value for key, value in row.items() if value}
        except csv.Error as error:
            raise _unreadable(f"not valid CSV: {error}") from None

    try:
        return list(reader.fieldnames or ()), read()
    except csv.Error as error:
        raise _unreadable(f"not valid CSV: {error}") from None


def _lines(source: IO[bytes]) -> Iterator[str]:
    for number, line in enumerate(source, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise _unreadable(f"line {number} is not UTF-8") from None


def _delimiter(head: str, known: Collection[str]) -> str:
    """The one that divides the first line into most `known` columns; of equal ones, into most."""

    def found(delimiter: str) -> tuple[int, int]:
        try:
            (names,) = csv.reader([head], strict=True, delimiter=delimiter)
        except (csv.Error, ValueError):  # quotes that end elsewhere; an empty line
            return 0, 0
        return len({*names} & {*known}), len(names)

    return max(DELIMITERS, key=found)  # the first of equal ones


def _parquet(source: IO[bytes]) -> Table:
    import pyarrow as arrow
    from pyarrow import parquet

    def read() -> Iterator[dict[str, Any]]:
        try:
            for batch in file.iter_batches(1024):
                for row in batch.to_pylist():
                    yield {key: value for key, value in row.items() if value is not None}
        except (arrow.ArrowInvalid, OSError) as error:
            raise _unreadable(f"not valid Parquet: {error}") from None

    try:
        file = parquet.ParquetFile(source)
        return list(file.schema_arrow.names), read()
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
