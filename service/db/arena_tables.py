"""The tables of arenas; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from service.db.columns import JSONB, TEXTS, stamp
from service.db.tables import metadata

CHOICES = ("a", "b", "tie", "both_bad")

arenas = Table(
    "arenas",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("models", TEXTS, nullable=False),
    Column("max_tokens", Integer, nullable=False),
    Column("temperature", Float, nullable=False),
    Column("system", Text),  # said to each model before the prompt
    Column("language", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),  # of what voters are kept as
    stamp("created_at"),
)

# Two models answer a prompt; whoever votes sees "a" and "b". With an error it counts for nothing.
arena_battles = Table(
    "arena_battles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("arena_id", ForeignKey("arenas.id", ondelete="CASCADE"), nullable=False),
    Column("prompt", Text, nullable=False),  # of the turn that it is at
    Column("model_a", Text, nullable=False),
    Column("model_b", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),  # of what is drawn: another attempt draws the same
    Column("answer_a", Text),
    Column("answer_b", Text),
    Column("turn", Integer, nullable=False, server_default=text("0")),  # never counts back
    # turns before: [{"prompt", "a", "b"}]
    Column("earlier", JSONB, nullable=False, server_default=text("'[]'")),
    Column("turn_error", JSONB),  # why the turn that was asked for last was taken back
    Column("error", JSONB),  # {"status", "code", "message"}
    Column("failed", Text),  # the model that gave no answer
    Column("choice", Text),
    Column("voter", Text),  # a digest; null: nobody was named
    stamp("created_at"),
    Column("failed_at", DateTime(timezone=True)),
    Column("voted_at", DateTime(timezone=True)),
    CheckConstraint(f"choice IN {CHOICES}", name="choice"),
    CheckConstraint(
        "choice IS NULL OR (answer_a IS NOT NULL AND answer_b IS NOT NULL AND error IS NULL)",
        name="voted",
    ),
    Index("ix_arena_battles_arena_id", "arena_id", "id"),
    Index("ix_arena_battles_votes", "arena_id", postgresql_where=text("choice IS NOT NULL")),
    Index("ix_arena_battles_unvoted", "created_at", postgresql_where=text("choice IS NULL")),
)
