"""The tables of gates; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from service.db.columns import JSON, JSONB, stamp
from service.db.tables import metadata

# A version of a gate: rules on when a system may replace another. Its content never changes.
gates = Table(
    "gates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("content", JSON, nullable=False),  # as asked for: service.gates.schemas.GateIn
    stamp("created_at"),
    UniqueConstraint("name", "version"),
)

# What a gate said of an evaluation; no verdict and no error: it waits for the evaluation's end.
gate_checks = Table(
    "gate_checks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("gate_id", ForeignKey("gates.id", ondelete="CASCADE"), nullable=False, index=True),
    Column(
        "evaluation_id",
        ForeignKey("evaluations.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("verdict", Text),
    Column("result", JSON),
    Column("error", JSONB),
    stamp("created_at"),
)
