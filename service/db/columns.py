"""Types and columns that tables of several rooms have."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Text, func
from sqlalchemy.dialects import postgresql

TEXTS = postgresql.ARRAY(Text)
JSONB = postgresql.JSONB(none_as_null=True)  # None is NULL, not JSON's null
JSON = postgresql.JSON(none_as_null=True)  # where the order of the keys matters


def stamp(name: str, *, index: bool = False) -> Column[object]:
    """A time; unless told, when the row is written."""
    moment = DateTime(timezone=True)
    return Column(name, moment, nullable=False, server_default=func.now(), index=index)
