"""The tables of boards; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from service.db.columns import JSON, stamp
from service.db.tables import metadata

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
    Column("protocol", Text, nullable=False, server_default=""),  # as asked for; '': the commonest
    Column("landed", Integer, nullable=False),  # evaluations of the dataset's name that it knows
    Column("landed_at", DateTime(timezone=True)),  # when the last of them did
    Column("size", Integer, nullable=False),  # rows
    Column("head", Text, nullable=False),  # JSON: all but rows and left_out
    Column("left_out", Text, nullable=False),  # JSON
    stamp("computed_at"),
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

# Boards that users define, over several datasets and scores.
defined_boards = Table(
    "defined_boards",
    metadata,
    Column("name", Text, primary_key=True),
    Column("definition", JSON, nullable=False),  # as service.leaderboards.defined_schemas has it
    stamp("created_at"),
    Column("known", Text),  # digest of what had landed when `content` was computed
    Column("content", Text),  # the board as it is shown, JSON; null: never computed
)

# What the outputs of an evaluation are, so that equal ones are found without reading texts.
output_digests = Table(
    "output_digests",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("digests", LargeBinary, nullable=False),  # 8 bytes a record, zeros without an output
    Column("in_references", Float),  # the share of outputs that are references; null: none to be
)
