"""The table of analyses; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Table, Text

from service.db.columns import JSON, stamp
from service.db.tables import metadata

# Where an evaluation loses a score; computed by a worker when somebody asks, and kept. It is of the
# results as they were at `finished_at`: an evaluation that was measured again has another.
analyses = Table(
    "analyses",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("score", Text, primary_key=True),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("content", JSON, nullable=False),
    stamp("created_at"),
)
