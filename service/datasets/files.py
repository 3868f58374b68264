"""The rows of a file, JSONL, CSV, Parquet or Arrow, as the fields of records."""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from itertools import chain
from typing import IO, Any, Literal

import orjson

from service.datasets import arrow, columns, layouts
from service.datasets.arrow import Table, unreadable
from service.datasets.schemas import KINDS
from service.errors import ApiError, invalid
from service.http.json_reader import WINDOW, Reader

Format = Literal["jsonl", "csv", "parquet", "arrow", "tar"]

LONGEST_LINE = 64 * 1024**2  # bytes: a prompt may be a book, and is read as a whole

csv.field_size_limit(LONGEST_LINE)  # the default is 128 KiB

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
        table = _jsonl(source)
    else:
        reader = READERS.get(format_)
        names, table = reader(source) if reader else _csv(source, mapping, kind)
        columns.check(names, mapping, kind)
    fields = KINDS[kind].model_fields
    for index, row in enumerate(table):
        named = {mapping.get(name, name): value for name, value in row.items()}
        record = layouts.record(named, kind, index)
        yield record if format_ == "jsonl" else _as_record(record, fields)


def table(source: IO[bytes]) -> Table:
    """A CSV's columns and rows, as texts; an empty cell is left out. Raises ApiError, for two
    columns of one name as well: one of them would not be read."""
    names, rows = _csv(source, {}, "eval")
    for name, count in Counter(name for name in names if name).items():
        if count > 1:
            message = f"{count} columns are called {name!r}: leave one, or name them differently"
            raise invalid("same_column", message, name)
    return names, rows


READERS = {"parquet": arrow.parquet, "arrow": arrow.stream, "tar": arrow.folder}


def _jsonl(source: IO[bytes]) -> Iterator[dict[str, Any]]:
    for number, read in enumerate(_lines(source), 1):
        line = read.removeprefix(BOM_UTF8) if number == 1 else read
        if not line.strip():
            continue
        try:
            row = orjson.loads(line) if len(line) <= WINDOW else Reader(line.decode()).whole()
        except (ValueError, RecursionError) as error:
            raise unreadable(f"line {number} is not valid JSON: {error}") from None
        if not isinstance(row, dict):
            raise unreadable(f"line {number} is not a JSON object")
        yield row


def _csv(source: IO[bytes], mapping: Mapping[str, str], kind: str) -> Table:
    lines = _texts(source)
    first = next(lines, "")
    known = {*mapping, *columns.fields_of(kind), *layouts.columns_of(kind)}
    delimiter = _delimiter(first, known)
    reader = csv.reader(chain([first], lines), strict=True, delimiter=delimiter)

    def read() -> Iterator[dict[str, Any]]:
        number = reader.line_num + 1
        try:
            for row in reader:
                if row and len(row) != len(names):
                    raise unreadable(_uneven(number, len(row), len(names), delimiter))
                if row:
                    yield {name: value for name, value in zip(names, row, strict=True) if value}
                number = reader.line_num + 1  # quoted texts take several
        except csv.Error as error:
            raise unreadable(f"not valid CSV: {error}") from None

    try:
        names = next(reader, [])
    except csv.Error as error:
        raise unreadable(f"not valid CSV: {error}") from None
    return names, read()


def _uneven(line: int, fields: int, columns: int, delimiter: str) -> str:
    counted = "1 field" if fields == 1 else f"{fields} fields"
    quotes = f": put quotes around texts with {delimiter!r} in them" if fields > columns else ""
    return f"line {line} has {counted}, the header has {columns}{quotes}"


def _texts(source: IO[bytes]) -> Iterator[str]:
    for number, line in enumerate(_lines(source), 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise unreadable(f"line {number} is not UTF-8: save the file as UTF-8") from None


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    number = 0
    while line := source.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            message = f"line {number} has over {LONGEST_LINE} bytes, the most that a line may have"
            raise ApiError(413, "line_too_long", message)
        yield line


def _delimiter(head: str, known: Collection[str]) -> str:
    """The one that divides the first line into most `known` columns; of equal ones, into most."""

    def found(delimiter: str) -> tuple[int, int]:
        try:
            (names,) = csv.reader([head], strict=True, delimiter=delimiter)
        except (csv.Error, ValueError):  # quotes that end elsewhere; an empty line
            return 0, 0
        return len({*names} & {*known}), len(names)

    return max(DELIMITERS, key=found)  # the first of equal ones


def _as_record(row: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """A table's row: lists parsed, columns that are no field of a record put into its metadata."""
    record: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for name, value in row.items():
        if name in LISTS:
            record[name] = _listed(value)
        elif name == "metadata" and isinstance(value, str):
            parsed = _parsed(value, dict)
            metadata |= {"metadata": value} if parsed is None else parsed
        elif name == "metadata":
            metadata |= value if isinstance(value, dict) else {"metadata": value}
        elif name in fields:
            record[name] = str(value) if name == "id" else value
        else:
            metadata[name] = value.isoformat() if isinstance(value, date) else value
    return record | ({"metadata": metadata} if metadata else {})


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        parsed = _parsed(value, list)
        return [value] if parsed is None else parsed
    return value


def _parsed(text: str, kind: type) -> Any:
    """The JSON in `text`, if it is of that kind."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, kind) else None
