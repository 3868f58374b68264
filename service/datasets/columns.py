"""Which columns of a file are which fields of its records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import NoneType

from metrics.core.names import MEANINGS, plain
from service.datasets import layouts, mappings
from service.datasets.schemas import KINDS
from service.errors import ApiError, invalid

APART = {"id", "metadata"}  # say nothing about a sample's content


def fields_of(kind: str) -> list[str]:
    """The fields that a record of the kind may have."""
    forms = KINDS[kind].model_fields.items()
    return [name for name, field in forms if field.annotation is not NoneType]


def parsed(mapping: str | None, kind: str) -> dict[str, str]:
    """`question:prompt,answer:references` as fields by column. Raises 422 for what is no field."""
    return mappings.parsed(
        mapping,
        fields_of(kind),
        example="question:prompt",
        unknown=f"a record of kind {kind} has no field",
        meanings=MEANINGS,
    )


def check(columns: Sequence[str], mapping: Mapping[str, str], kind: str) -> None:
    """Raises 422 where the file has not the mapping's columns, two columns for one field, or no
    column that is a field of the kind's records, with the mapping that would be needed."""
    mappings.check_columns(mapping, columns)
    for column, name in mapping.items():
        if name in columns and name != column and name not in mapping:
            message = f"the file has a column {name!r}, too: map it elsewhere, or rename it"
            raise invalid("invalid_mapping", message, "mapping")
    content = [column for column in columns if column not in APART]
    named = {mapping.get(column, column) for column in content}
    if content and not named & {*fields_of(kind), *layouts.columns_of(kind)}:
        raise _unknown(content, kind)


def _unknown(columns: Sequence[str], kind: str) -> ApiError:
    known = [name for name in fields_of(kind) if name not in APART]
    pairs = _guessed(columns, known) or {"COLUMN": known[0]}
    needed = ",".join(f"{column}:{name}" for column, name in pairs.items())
    shown = ", ".join(map(repr, columns[:20])) + (", …" if len(columns) > 20 else "")
    others = layouts.described(kind)
    message = (
        f"no column is a field of a record of kind {kind}: there are {shown}, and it has "
        f"{', '.join(known)}{f', or {others}' if others else ''}; say which is which, as "
        f"mapping={needed}"
    )
    return invalid("unknown_columns", message, "mapping")


def _guessed(columns: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """What the columns' names are likely to mean, one column a field."""
    pairs: dict[str, str] = {}
    for column in columns:
        spelled = [name for name in known if plain(name) == plain(column)]
        for name in [*spelled, *MEANINGS.get(plain(column), ())]:
            if name in known and name not in pairs.values():
                pairs[column] = name
                break
    return pairs
