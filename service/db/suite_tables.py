"""The table of suites that users declared; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from service.db.columns import JSON, stamp
from service.db.tables import metadata

# An evaluation keeps its metrics itself: a suite may go without it.
own_suites = Table(
    "own_suites",
    metadata,
    Column("name", Text, primary_key=True),
    Column("content", JSON, nullable=False),  # metrics.suites.declaration.Suite
    stamp("created_at"),
)
