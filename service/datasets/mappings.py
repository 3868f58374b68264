"""Which columns of a file are which fields: by what its sender says, or by the columns' names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from metrics.core.names import hint, plain
from service.errors import ApiError, invalid

F = TypeVar("F", bound=str)
Meanings = Mapping[str, Iterable[str]]


def parsed(
    mapping: str | None,
    fields: Collection[F],
    *,
    example: str,
    unknown: str = "there is no field",
    meanings: Meanings | None = None,
    many: Collection[str] = (),
) -> dict[str, F]:
    """`question:prompt,answer:references` as fields by column. Raises 422 for what is no field, and
    for two columns of one field.

    example   such a pair
    unknown   what is said of a name that is no field, in front of it
    meanings  fields by other names that are likely to mean them
    many      fields that several columns may be
    """
    found: dict[str, F] = {}
    for pair in (mapping or "").split(","):
        if not pair.strip():
            continue
        column, colon, name = (part.strip() for part in pair.rpartition(":"))
        if not colon or not column or not name:
            raise _wrong(f"{pair!r} is no pair of a column and a field: write {example}")
        field = next((one for one in fields if one == name), None)
        if field is None:
            raise _wrong(f"{unknown} {name!r}; {hint(name, fields, meanings)}")
        _check_once(column, field, found, many)
        found[column] = field
    return found


def check_columns(mapping: Iterable[str], columns: Collection[str]) -> None:
    """Raises 422 for a column of the mapping that the file does not have."""
    for column in mapping:
        if column not in columns:
            raise _wrong(f"the file has no column {column!r}; {hint(column, columns)}")


def by_names(
    columns: Iterable[str], names: Mapping[F, str], mapping: Mapping[str, F]
) -> dict[str, F]:
    """The mapping, with a column for each other field that one is named for.

    names  of each field, what its column may be called, the likeliest first: words with spaces
           between them, however spelled
    """
    there, taken = list(columns), dict(mapping)
    for field, spellings in names.items():
        if field in taken.values():
            continue
        wanted = [plain(one) for one in spellings.split()]
        free = [one for one in there if plain(one) in wanted and one not in taken]
        if free:
            taken[min(free, key=lambda one: wanted.index(plain(one)))] = field
    return taken


def _check_once(column: str, field: str, found: Mapping[str, str], many: Collection[str]) -> None:
    if column in found:
        message = f"{column!r} is mapped to {found[column]} and to {field}: keep one of the two"
        raise _wrong(message)
    other = next((one for one, known in found.items() if known == field), None)
    if other is not None and field not in many:
        message = f"{other!r} and {column!r} are both mapped to {field}: take one column a field"
        some = f"; only {', '.join(many)} may be several columns" if many else ""
        raise _wrong(message + some)


def _wrong(message: str) -> ApiError:
    return invalid("invalid_mapping", message, "mapping")
