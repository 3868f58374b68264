"""Tables of what models behind URLs answered, and of how often they are asked."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from service.db.columns import JSONB, stamp
from service.db.tables import metadata

# Every reply, as soon as it is there: see service.models.replies.
replies = Table(
    "replies",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("content", JSONB, nullable=False),
    Column("scope", Text, nullable=False, index=True),  # "": for anybody; eval_…/shard: for that
    stamp("created_at"),
    stamp("used_at", index=True),
)

# What was sent to a registered model in a minute (since 1970), by all workers.
model_minutes = Table(
    "model_minutes",
    metadata,
    Column("model", Text, primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
)

# What the shard of an evaluation that begins at `start` has paid for, by who paid; what of the
# budget that holds for requests that wait or are out; and what those may have taken at most that
# are out, or were when their process was killed, or were answered with what cannot be read.
usages = Table(
    "usages",
    metadata,
    Column("evaluation_id", ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("start", Integer, primary_key=True),
    Column(
        "metric", Integer, primary_key=True, server_default="-1"
    ),  # its position; -1: generation
    Column("requests", BigInteger, nullable=False, server_default="0"),
    Column("input_tokens", BigInteger, nullable=False, server_default="0"),
    Column("output_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cost", Float, nullable=False, server_default="0"),
    Column("cached", BigInteger, nullable=False, server_default="0"),
    Column("held_requests", BigInteger, nullable=False, server_default="0"),
    Column("held_tokens", BigInteger, nullable=False, server_default="0"),
    Column("held_cost", Float, nullable=False, server_default="0"),
    Column("unanswered_requests", BigInteger, nullable=False, server_default="0"),
    Column("unanswered_tokens", BigInteger, nullable=False, server_default="0"),
    Column("unanswered_cost", Float, nullable=False, server_default="0"),
)
