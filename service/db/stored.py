"""Rows with types: what a room's store returns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from sqlalchemy import Row


@dataclass(frozen=True, slots=True)
class Stored:
    """Base of the dataclasses that hold a row: a field for each column of the same name."""

    @classmethod
    def from_row(cls, row: Row[*tuple[Any, ...]]) -> Self:
        """From a row with these columns at least; a column that lacks is a KeyError."""
        columns = row._mapping  # by attribute, `index` and `count` would be a tuple's methods
        return cls(**{field.name: columns[field.name] for field in fields(cls)})
