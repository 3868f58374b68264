"""Files of votes: CSV, JSON, JSON Lines and Parquet as others write them, as LMArena's logs are and
as this service does, and Label Studio's JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from service.annotation.schemas import Form
from service.errors import ApiError, invalid
from service.field_names import told
from service.imports import tables
from service.imports.contents import Contents, unreadable
from service.imports.tables import Rows
from service.vote_exchange import battles, label_studio, opinions, own_votes
from service.vote_exchange.columns import Layout, layout
from service.vote_exchange.foreign_votes import ForeignRow, ForeignVote, Place, RowErrors

R = TypeVar("R", bound=BaseModel)

LOOKED_AT = 200  # rows, by which columns are known
ROWS: dict[Form, type[ForeignRow]] = {
    "pairwise": battles.Battle,
    "likert": opinions.RatedRow,
    "label": opinions.LabelledRow,
    "best_worst": opinions.ExtremesRow,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """How a file is to be read.

    form      None: as its columns say
    system    whose outputs these are, where no column has it
    criteria  of the project that the votes are for
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    form: Form | None = None
    system: str | None = None
    criteria: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class VoteFile:
    """The votes of a file, and which columns were taken for what."""

    form: Form
    votes: list[ForeignVote]
    columns: Mapping[str, str]


def read(contents: Contents, asked: Asked) -> VoteFile:
    """The votes in an upload. Raises 422 with the first twenty errors by row and column, 413 for
    more than fits."""
    if len(contents.names) != 1:
        raise unreadable("a log of votes is one file, and this is an archive of several")
    (name,) = contents.names
    rows, is_csv = _rows(contents, name)
    first = list(islice(rows, LOOKED_AT))
    if not first:
        raise invalid("empty_file", "the file has no rows")
    seen = [row for _, row in first]
    if own_votes.is_own(column for row in seen for column in row):
        return _own(chain(first, rows), seen, asked, is_csv)
    given = {"system": asked.system} if asked.system is not None else {}
    if asked.form == "edit":
        message = "edits are taken from files that GET …/votes has written, and this is none"
        raise invalid("other_form", message, "file")
    found = layout(seen, asked.mapping, asked.form, given, asked.criteria)
    return VoteFile(found.form, [*_foreign(chain(first, rows), found, given)], found.fields)


def _rows(contents: Contents, name: str) -> tuple[Rows, bool]:
    """The rows of the file, each with its place; whether it is CSV."""
    head = contents.head(name, 4096)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if head.startswith(b"PAR1"):
        return tables.rows(contents, name, "parquet"), False
    if start == b"{" and not _is_page(contents, name):
        return tables.rows(contents, name, "jsonl"), False
    if start not in {b"[", b"{"}:
        return tables.rows(contents, name, "csv"), True
    tasks = tables.rows(contents, name, "json")
    return chain.from_iterable(label_studio.rows(*one) for one in tasks), False


def _is_page(contents: Contents, name: str) -> bool:
    """Whether the file is an answer of the service, a page of votes."""
    try:
        _, first = next(contents.lines(name))
    except (ApiError, StopIteration):  # an object over several lines
        return True
    return first.get("object") == "list" and isinstance(first.get("data"), list)


def _own(rows: Rows, seen: Sequence[Mapping[str, Any]], asked: Asked, is_csv: bool) -> VoteFile:
    form = next((form for row in seen if (form := own_votes.form_of(row.get("answer")))), None)
    if form is None or asked.form not in {None, form}:
        said = "of no form" if form is None else f"of the form {form}"
        message = f"the file's answers are {said}, and {asked.form or 'some form'} is wanted"
        raise invalid("other_form", message, "rows[0].answer")

    def fields(row: Mapping[str, Any]) -> dict[str, Any]:
        cells = {name: own_votes.unharmed(cell) if is_csv else cell for name, cell in row.items()}
        return own_votes.own_fields(cells)

    votes = [
        row.vote(place) for place, row in _checked(rows, own_votes.OwnVote, own_votes.NAMES, fields)
    ]
    columns = dict.fromkeys(column for row in seen for column in row)
    known = own_votes.OwnVote.model_fields
    return VoteFile(form, votes, {one: one for one in columns if one in known})


def _foreign(rows: Rows, found: Layout, given: Mapping[str, str]) -> Iterator[ForeignVote]:
    def fields(row: Mapping[str, Any]) -> dict[str, Any]:
        cells: dict[str, Any] = dict(given)
        there = {name: row.get(one) for one, name in found.fields.items()}
        cells |= {name: cell for name, cell in there.items() if _is_there(cell, name)}
        if found.form == "pairwise":
            return battles.fields(cells)
        if found.form == "best_worst":
            return opinions.extreme_fields(cells)
        if found.form == "label":
            return cells
        criteria = found.criteria.items()
        ratings = {name: row[one] for one, name in criteria if _is_there(row.get(one), "rating")}
        return opinions.rating_fields(cells, ratings)

    for place, row in _checked(rows, ROWS[found.form], _columns(found), fields):
        yield row.vote(place)


def _columns(found: Layout) -> dict[str, str]:
    """Columns by field, and by the part of an answer that they hold."""
    columns = {name: column for column, name in found.fields.items()}
    if found.criteria:
        columns |= {f"ratings.{name}": column for column, name in found.criteria.items()}
    elif "criterion" in columns and "rating" in columns:
        columns["ratings.*"] = columns["rating"]
    same = {"choice": "winner", "systems": "model_a system", "output": "output_a outputs"}
    for name, others in same.items():
        there = [columns[other] for other in others.split() if other in columns]
        columns |= dict.fromkeys({name} - columns.keys() if there else (), "".join(there[:1]))
    return columns


def _is_there(cell: Any, name: str) -> bool:
    """Whether a cell of this field holds something; NaN is nothing, either, but no rating."""
    is_nan = isinstance(cell, float) and math.isnan(cell) and name != "rating"
    return cell is not None and cell != "" and not is_nan


def _checked(
    rows: Rows,
    model: type[R],
    columns: Mapping[str, str],
    fields: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> Iterator[tuple[Place, R]]:
    """Every row, checked. Raises 422 for what is wrong, 413 for more than is held in memory."""
    errors = RowErrors()
    for index, (where, row) in enumerate(tables.held(rows)):
        place = Place(index, where, columns)
        try:
            yield place, model.model_validate(fields(row))
        except ValidationError as found:
            for one in found.errors(include_url=False):
                field = ".".join(map(str, one["loc"][:2])) or "row"
                errors.add(place, place.column(field), told(one, model, one["loc"]), one["type"])
            if errors.full:
                break
    errors.check()
