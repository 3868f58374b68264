"""The table of suites that users declared; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Table, Text, func

from service.db.tables import JSON, metadata

# An evaluation keeps its metrics itself: a suite may go without it.
own_suites = Table(
    "own_suites",
    metadata,
    Column("name", Text, primary_key=True),
    Column("content", JSON, nullable=False),  # metrics.suites.declaration.Suite
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
