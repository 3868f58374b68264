"""The samples of a file, whatever its kind."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictStr,
    ValidationError,
    model_validator,
)

from inference.errors import InputError
from metrics.core.metric import Sample
from metrics.core.names import hint
from metrics.core.run import validate
from metrics.programs.layouts import as_text
from service.imports import lm_eval_samples
from service.score_file import columns, lm_eval, rows

HEAD = 4096  # bytes of a file by which its kind is told


class Line(BaseModel):
    """One row of a file: a sample as the API takes it, its id its place among them by default. A
    number is no output, as it is none for the API."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    id: str | None = None
    prompt: str | None = None
    output: StrictStr | None = None
    outputs: list[StrictStr] = Field(default_factory=list)
    references: list[str] = Field(default_factory=list)
    tests: Annotated[str, BeforeValidator(as_text)] | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_kind_of_output(self) -> Line:
        if (self.output is None) == (not self.outputs):
            raise ValueError("give either `output` or a non-empty `outputs`")
        return self

    def sample(self, number: int) -> Sample:
        """The row as metrics take it; `number`, from 1, is its id where it has none."""
        outputs = self.outputs if self.output is None else (self.output,)
        return Sample.of({"id": str(number), **self.model_dump(exclude_none=True)}, outputs)


class MappedLine(Line):
    """A row of a table, or with columns of other names: there numbers are common."""

    output: str | None = None
    outputs: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read.

    mapping  fields by the columns that hold them, where the names differ
    filter   of lm-evaluation-harness, whose answers are the outputs
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None


PLAIN = Reading()


def read(path: Path, reading: Reading = PLAIN) -> list[Sample]:
    """The samples of a file, JSON Lines, an array, CSV, Parquet, samples of lm-evaluation-harness;
    of standard input for `-`.

    Raises InputError that names the file, the line (of Parquet, the row) and the field.
    """
    name = named(path)
    with _opened(path, name) as source:
        kind = _kind(source, path, name)
        places, samples = array("q"), []
        for place, sample in _samples(source, kind, name, reading):
            places.append(place)
            samples.append(sample)
    try:
        validate(samples)
    except InputError as error:
        raise InputError(_located(error, places, name, kind)) from None
    return samples


def named(path: Path) -> str:
    """What errors call the file."""
    return "standard input" if str(path) == "-" else str(path)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Any]:
    """The file's bytes, buffered, so that its beginning can be looked at."""
    try:
        if str(path) == "-":
            yield sys.stdin.buffer
        else:
            with path.open("rb") as source:
                yield source
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}") from error


def _kind(source: Any, path: Path, name: str) -> str:
    try:
        return rows.kind_of(source.peek(HEAD)[:HEAD], path.suffix)
    except InputError as error:
        raise InputError(f"{name}: {error.message}") from None


def _samples(
    source: BinaryIO, kind: str, name: str, reading: Reading
) -> Iterator[tuple[int, Sample]]:
    mapping, table = reading.mapping, kind in {"csv", "parquet"}
    if kind == "csv":
        found = rows.table(source, name, {*mapping, *columns.FIELDS})
    else:
        found = {"array": rows.array, "lines": rows.lines, "parquet": rows.parquet}[kind](
            source, name
        )
    first = next(found, None)
    if first is None:
        return
    found = chain([first], found)
    if lm_eval_samples.is_sample(first[1]):
        if mapping:
            raise InputError(f"{columns.OPTION}: {name} is of lm-evaluation-harness: it needs none")
        found, mapping = lm_eval.records(found, name, reading.filter), {}
    elif reading.filter is not None:
        raise InputError(f"{lm_eval.OPTION}: {name} is no file of lm-evaluation-harness")
    seen: set[str] = set()
    for number, (place, row) in enumerate(found, 1):
        yield place, _sample(row, number, _at(name, place, kind), mapping, table)
        seen.update(row)
    for column in mapping:
        if column not in seen and column != columns.REST:
            why = hint(column, sorted(seen))
            raise InputError(f"{columns.OPTION}: {name} has no column {column!r}; {why}")


def _sample(row: Any, number: int, where: str, mapping: Mapping[str, str], table: bool) -> Sample:
    if not isinstance(row, dict):
        raise InputError(f"{where}: is no object")
    given = _filled(row, mapping) if table else row
    lacking = columns.lacking(given, mapping)
    if lacking is not None and (table or columns.OUTPUTS & {*columns.guessed(given).values()}):
        raise InputError(f"{where}: {lacking}")
    try:
        fields = columns.fields(given, mapping, table)
    except InputError as error:
        raise InputError(f"{where}: {error.field}: {error.message}") from None
    try:
        return (MappedLine if table or mapping else Line).model_validate(fields).sample(number)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{where}: {at + ': ' if at else ''}{message}") from error


def _filled(row: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """Without empty cells; but an empty output is one."""
    return {
        name: value
        for name, value in row.items()
        if value != "" or mapping.get(name, name) == "output"
    }


def _at(name: str, place: int, kind: str) -> str:
    return f"{name}: row {place}" if kind == "parquet" else f"{name}:{place}"


def _located(error: InputError, places: array[int], name: str, kind: str) -> str:
    """The error with `samples[i].field` said as the file's line and field."""
    label = "row" if kind == "parquet" else "line"
    told = re.sub(r"samples\[(\d+)\]", lambda at: f"{label} {places[int(at[1])]}", error.message)
    place = re.fullmatch(r"samples\[(\d+)\]\.?(.*)", error.field or "")
    if place is None:
        return f"{name}: {told}"
    return f"{_at(name, places[int(place[1])], kind)}: {place[2]}: {told}"
