"""The tables of boards; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from service.db.tables import JSON, metadata

# How an evaluation's outputs were made; what a row of a board is of, beside its system.
protocols = Table(
    "protocols",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", Text, nullable=False),
    Column("content", JSON, nullable=False),
)

# Disposable: a board that is not there, or not up to date, is computed when read.
boards = Table(
    "boards",
    metadata,
    Column("id", Text, primary_key=True),  # digest of what it is of
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("score", Text, nullable=False),
    Column("slice", Text, nullable=False),
    Column("signature", Text, nullable=False),  # as asked for; '': the one most systems have
    Column("cluster", Text, nullable=False),  # '': as the evaluations have it
    Column("landed", Integer, nullable=False),  # evaluations of the dataset's name that it knows
    Column("landed_at", DateTime(timezone=True)),  # when the last of them did
    Column("size", Integer, nullable=False),  # rows
    Column("head", Text, nullable=False),  # JSON: all but rows and left_out
    Column("left_out", Text, nullable=False),  # JSON
    Column("computed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

board_rows = Table(
    "board_rows",
    metadata,
    Column("board_id", ForeignKey("boards.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("evaluation_id", Text, nullable=False),
    Column("content", Text, nullable=False),  # JSON
    UniqueConstraint("board_id", "evaluation_id"),
)
