"""The form between an answer and its formats: each answer says once what its table is, and every
format renders any table."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

Kind = Literal[
    "text", "texts", "number", "p_value", "count", "flag", "time", "interval", "ranks", "json"
]
Scalar = str | float | bool | datetime | list[str] | None
Cell = Scalar | tuple[float, float] | dict[str, Any] | list[Any]

PAIRS = {"interval": "number", "ranks": "count"}  # two columns each, in files of data
LEFT = {"text", "texts", "json"}  # aligned to the left; the others to the right

KINDS: dict[object, Kind] = {
    str: "text",
    float: "number",
    int: "count",
    bool: "flag",
    datetime: "time",
    list[str]: "texts",
    tuple[float, float]: "interval",
    tuple[int, int]: "ranks",
}


@dataclass(frozen=True, slots=True)
class Column:
    """What stands in one place of each row: a value of the kind, or None where there is none."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with its interval, to be drawn; None: there is none."""

    label: str
    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars on one scale. `zero`: where zero lies matters, as it does to a difference. `ends`: of
    the scale, where the values have some; else it reaches as far as the bars do."""

    title: str
    bars: Sequence[Bar]
    zero: bool = False
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of a test: the p-value, and whether the row's side is ahead (1), the column's (-1), or none
    may be said to be (0)."""

    p_value: float
    ahead: int


@dataclass(frozen=True, slots=True)
class Heat:
    """A square for each test; None where there was none. `sides`: who may be ahead, as the row's
    and the column's."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[Verdict | None]]
    sides: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """An answer as a table.

    columns  of files of data (CSV, Parquet): all there is, as precise as it is
    titles   of the columns that documents show, by name, in their order
    digits   behind the decimal point, in documents, of each row
    best     cells that are bold: the row, and the column's name
    marks    behind cells: stars
    legend   what bold and stars mean: (mark, meaning)
    notes    sentences below the table
    more     rows behind the others, in files of data alone
    panels   of bars; their bars, one after another, are the rows
    heat     maps of p-values, drawn in place of the bars where there are any
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    titles: Mapping[str, str]
    digits: Sequence[int]
    best: frozenset[tuple[int, str]] = frozenset()
    marks: Mapping[tuple[int, str], str] = field(default_factory=dict)
    legend: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    more: Sequence[Sequence[Cell]] = ()
    panels: Sequence[Panel] = ()
    heat: Sequence[Heat] = ()

    def shown(self) -> list[tuple[int, Column, str]]:
        """(place, column, title) of what documents show: columns that are there, and not empty."""
        place = {column.name: at for at, column in enumerate(self.columns)}
        there = [(place[name], title) for name, title in self.titles.items() if name in place]
        return [
            (at, self.columns[at], title)
            for at, title in there
            if not self.rows or any(row[at] is not None for row in self.rows)
        ]


def tabulate(
    model: type[BaseModel],
    items: Sequence[BaseModel],
    given: Mapping[str, Cell],
    added: Mapping[str, Sequence[Cell]] | None = None,
) -> tuple[list[Column], list[list[Cell]]]:
    """Columns and rows of a list's items, after the fields of their model.

    given  values of fields that the items do not have, or leave at None; first in the row
    added  columns of text behind the others, by name
    """
    fields = {name: kind_of(name, info.annotation) for name, info in model.model_fields.items()}
    first = {name: _kind(name, value) for name, value in given.items() if name not in fields}
    columns = [Column(name, kind) for name, kind in (first | fields).items()]
    added = added or {}
    defaults = [given.get(column.name) for column in columns]
    rows: list[list[Cell]] = []
    for at, item in enumerate(items):
        found = item.model_dump(mode="python")
        values = [found.get(column.name) for column in columns]
        row = [
            default if value is None else value
            for value, default in zip(values, defaults, strict=True)
        ]
        rows.append([*row, *(column[at] for column in added.values())])
    return [*columns, *(Column(name, "text") for name in added)], rows


def extended(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    names: Sequence[str],
    items: Sequence[Mapping[str, Cell]],
) -> tuple[list[Column], list[list[Cell]], list[list[Cell]]]:
    """Columns of text behind the others, empty in the rows; and of `items`, which have values of
    some columns by name, more rows."""
    wider = [*columns, *(Column(name, "text") for name in names)]
    more = [[item.get(column.name) for column in wider] for item in items]
    return wider, [[*row, *([None] * len(names))] for row in rows], more


def kind_of(name: str, annotation: object) -> Kind:
    """The kind of a column that holds a field of this type."""
    if get_origin(annotation) is Annotated:
        return kind_of(name, get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        inner = [one for one in get_args(annotation) if one is not types.NoneType]
        return kind_of(name, inner[0]) if len(inner) == 1 else "json"
    if get_origin(annotation) is Literal:
        return _kind(name, get_args(annotation)[0])
    kind = KINDS.get(annotation, "json")
    return "p_value" if kind == "number" and name.startswith("p_") else kind


def _kind(name: str, value: object) -> Kind:
    return kind_of(name, type(value)) if value is not None else "text"
