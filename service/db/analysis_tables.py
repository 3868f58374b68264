"""The table of analyses; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Table, Text, func

from service.db.tables import JSON, metadata

# Where an evaluation loses a score; computed by a worker when somebody asks, and kept. It is of the
# results as they were at `finished_at`: an evaluation that was measured again has another.
analyses = Table(
    "analyses",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("score", Text, primary_key=True),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("content", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
