"""Which column of a file is which field of a sample."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from inference.errors import InputError
from metrics.core.names import MEANINGS, hint, nearest, plain

FIELDS = ("id", "prompt", "output", "outputs", "references", "tests", "metadata")
OUTPUTS = frozenset(("output", "outputs"))
LISTS = ("outputs", "references")
REST = "*"  # every column that is named nowhere
OPTION = "--map"

Row = Mapping[str, Any]


def parsed(options: Sequence[str]) -> dict[str, str]:
    """`question=prompt,answer=references` as fields by column; `*=metadata` is for all others.

    Raises InputError for what is no field, and for two columns of one field.
    """
    found: dict[str, str] = {}
    for pair in ",".join(options).split(","):
        column, sign, field = (part.strip() for part in pair.rpartition("="))
        if not pair.strip():
            continue
        if not sign or not column:
            raise InputError(f"{OPTION}: {pair!r} is no pair: write question=prompt")
        if field not in FIELDS:
            meant = hint(field, FIELDS, MEANINGS)
            raise InputError(f"{OPTION}: a sample has no field {field!r}; {meant}")
        if column == REST and field != "metadata":
            raise InputError(f"{OPTION}: {pair!r}: all other columns can be metadata alone")
        if column in found or (field != "metadata" and field in found.values()):
            raise InputError(f"{OPTION}: {pair!r}: one column a field")
        found[column] = field
    return found


def fields(row: Row, mapping: Mapping[str, str], table: bool) -> dict[str, Any]:
    """The row as a sample's fields.

    table  its columns are those of a table: lists may be texts of JSON, columns that are no field
           go into the metadata

    Raises InputError for columns that are no field, and for two of one field.
    """
    made: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for column, value in row.items():
        field = _field(column, mapping, table)
        if field in made:
            raise InputError(f"{column!r} and another are both {field}: leave one out", column)
        if field != "metadata":
            given = column in mapping or table
            made[field] = _listed(value, table) if given and field in LISTS else value
        elif column != field:
            metadata[column] = value.isoformat() if isinstance(value, date) else value
        elif table and isinstance(value, str):
            metadata |= _parsed(value, dict) or {column: value}
        elif isinstance(value, dict):
            metadata |= value
        else:
            made[field] = value  # which is refused, by its name
    if made.get("outputs") and made.get("output") in ("", None):
        made.pop("output", None)  # an empty cell beside it
    return made | ({"metadata": metadata} if metadata else {})


def lacking(row: Row, mapping: Mapping[str, str]) -> str | None:
    """What to say of a row without an output, with the mapping that is likely to be meant."""
    if OUTPUTS & {mapping.get(column, column) for column in row}:
        return None
    absent = [column for column in mapping if column not in row and column != REST]
    there = ", ".join(map(repr, list(row)[:20])) + (", …" if len(row) > 20 else "")
    if absent:
        return f"there is no {absent[0]!r}, as {OPTION} has it; {hint(absent[0], row)}"
    pairs = guessed(row)
    if not OUTPUTS & {*pairs.values()}:
        pairs["COLUMN"] = "output"
    needed = ",".join(f"{column}={field}" for column, field in pairs.items())
    return f"there is no `output`, but {there or 'nothing'}; as `{OPTION} {needed}`?"


def guessed(columns: Iterable[str]) -> dict[str, str]:
    """What columns that are no field are likely to mean, one column a field; those first whose
    names have one meaning alone."""
    names = list(columns)
    meanings = {
        column: [one for one in _meant(column) if one in FIELDS and one not in names]
        for column in names
        if column not in FIELDS
    }
    found: dict[str, str] = {}
    for column in sorted(meanings, key=lambda column: len(meanings[column])):
        free = [one for one in meanings[column] if one not in found.values()]
        if free and not (free[0] == "outputs" and "output" in found.values()):
            found[column] = free[0]
    return {column: found[column] for column in names if column in found}


def _field(column: str, mapping: Mapping[str, str], table: bool) -> str:
    field = mapping.get(column) or (column if column in FIELDS else mapping.get(REST))
    if field is not None:
        return field
    if table:
        return "metadata"
    (near, *_) = [*nearest(column, FIELDS, MEANINGS), "metadata"]
    raise InputError(
        f"a sample has no such field; {hint(column, FIELDS, MEANINGS)} "
        f"`{OPTION} {column}={near}` says so, `{OPTION} '{REST}=metadata'` keeps the rest",
        column,
    )


def _meant(column: str) -> list[str]:
    spelled = [one for one in FIELDS if plain(one) == plain(column)]
    return spelled or MEANINGS.get(plain(column), [])


def _listed(value: Any, table: bool) -> Any:
    if isinstance(value, list) or value is None:
        return value
    found = _parsed(value, list) if table and isinstance(value, str) else None
    return [value] if found is None else found


def _parsed(text: str, kind: type) -> Any:
    """The JSON in `text`, if it is of that kind."""
    if not text.lstrip().startswith("[" if kind is list else "{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, kind) else None
