"""The table of calibrations; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text, UniqueConstraint

from service.db.columns import JSON, stamp
from service.db.tables import metadata

# A version of a calibration: a function from a metric's values to people's ratings. Never changes.
calibrations = Table(
    "calibrations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("content", JSON, nullable=False),  # service.calibrations.schemas.CalibrationOut
    stamp("created_at"),
    UniqueConstraint("name", "version"),
)
