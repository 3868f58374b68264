"""The table of stored rewards; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from service.db.columns import JSON, TEXTS, stamp
from service.db.tables import metadata

# What outputs earn, by name, for frameworks that ask a URL. Its content never changes.
rewards = Table(
    "rewards",
    metadata,
    Column("name", Text, primary_key=True),
    Column("content", JSON, nullable=False),  # service.scoring.reward_schemas.RewardTerms
    Column("models", TEXTS, nullable=False),  # that its metrics run
    stamp("created_at"),
)
