"""The rows of a file, each with its place: lines of JSON, an array of it, CSV, Parquet."""

from __future__ import annotations

import csv
import io
import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any, BinaryIO

from inference.errors import InputError

DELIMITERS = ",;\t|"  # of CSV; the header tells which
BLANK = re.compile(r"[ \t\n\r]*")
SCAN = json.JSONDecoder().raw_decode
NOT_UTF8 = "is not UTF-8: save the file as UTF-8"

csv.field_size_limit(64 * 1024**2)  # an output may be a book; the default is 128 KiB

Rows = Iterator[tuple[int, Any]]  # places from 1: of lines, or of rows where there are none


def kind_of(head: bytes, suffix: str) -> str:
    """`parquet`, `array`, `lines` or `csv`, by how the file begins; by its name where that says
    nothing. Raises InputError for UTF-16, which tables are saved in at times."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((BOM_UTF16_BE, BOM_UTF16_LE)):
        raise InputError(f"UTF-16 {NOT_UTF8}")
    first = head.removeprefix(BOM_UTF8).lstrip()[:1]
    if first == b"[":
        return "array"
    jsonl = first in {b"{", b""} or suffix.lower() in {".jsonl", ".ndjson", ".json"}
    return "lines" if jsonl else "csv"


def lines(source: BinaryIO, where: str) -> Rows:
    """JSON Lines; blank ones are skipped."""
    for number, line in enumerate(source, 1):
        text = line.removeprefix(BOM_UTF8) if number == 1 else line
        if not text.strip():
            continue
        try:
            yield number, json.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}:{number}: no JSON: {error}") from error


def array(source: BinaryIO, where: str) -> Rows:
    """The items of a JSON array, each by the line that it begins in; one at a time."""
    try:
        text = source.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: {NOT_UTF8}") from error
    at, counted, line = text.index("[") + 1, 0, 1
    sign = ","
    while sign == ",":
        at = _blank(text, at)
        line, counted = line + text.count("\n", counted, at), at
        if text[at : at + 1] == "]":
            return
        try:
            value, end = SCAN(text, at)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}:{line}: no JSON: {error}") from error
        yield line, value
        at = _blank(text, end)
        sign, at = text[at : at + 1], at + 1
    if sign != "]":
        raise InputError(f"{where}:{line}: no JSON: the array goes on without a comma, or ends")


def table(source: BinaryIO, where: str, known: Collection[str]) -> Rows:
    """CSV; what divides its columns is what gives most `known` ones. Empty cells are left out, but
    for those of `output`: an empty output is one.

    known  names of columns
    """
    texts = _texts(source, where)
    head = next(texts, "")
    delimiter = _delimiter(head, known)
    reader = csv.reader(chain([head], texts), strict=True, delimiter=delimiter)
    try:
        names = next(reader, [])
        begin = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(names):
                quotes = f"; put quotes around texts with {delimiter!r} in them"
                counts = f"{len(row)} fields, the header has {len(names)}"
                more = quotes if len(row) > len(names) else ""
                raise InputError(f"{where}:{begin}: {counts}{more}")
            if row:
                yield begin, dict(zip(names, row, strict=True))
            begin = reader.line_num + 1  # quoted texts take several lines
    except csv.Error as error:
        raise InputError(f"{where}:{reader.line_num}: not valid CSV: {error}") from error


def parquet(source: BinaryIO, where: str) -> Rows:
    """Parquet, a part at a time; nulls are left out."""
    import pyarrow
    from pyarrow import parquet as format_

    file = source if source.seekable() else io.BytesIO(source.read())
    number = 0
    try:
        for batch in format_.ParquetFile(file).iter_batches(1024):
            for row in batch.to_pylist():
                number += 1
                yield number, {name: one for name, one in row.items() if one is not None}
    except (pyarrow.ArrowException, ValueError, OverflowError, OSError) as error:
        raise InputError(f"{where}: not valid Parquet: {error}") from error


def _texts(source: BinaryIO, where: str) -> Iterator[str]:
    for number, line in enumerate(source, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{where}:{number}: {NOT_UTF8}") from error


def _delimiter(head: str, known: Collection[str]) -> str:
    """The one that divides the header into most known columns; of equal ones, into most."""

    def found(delimiter: str) -> tuple[int, int]:
        try:
            (names,) = csv.reader([head], strict=True, delimiter=delimiter)
        except (csv.Error, ValueError):  # quotes that end elsewhere; an empty line
            return 0, 0
        return len({*names} & {*known}), len(names)

    return max(DELIMITERS, key=found)


def _blank(text: str, at: int) -> int:
    found = BLANK.match(text, at)
    return found.end() if found else at
