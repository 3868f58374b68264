"""The tables of annotation projects; the others are in `tables`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from service.db.columns import JSON, JSONB, TEXTS, stamp
from service.db.tables import metadata

KINDS = ("item", "control", "gold")
SLOT_STATUSES = ("free", "held", "voted", "skipped")
VOTE_KINDS = (*KINDS, "repeat")


def _project(index: bool = True) -> Column[object]:
    key = ForeignKey("annotation_projects.id", ondelete="CASCADE")
    return Column("project_id", key, nullable=False, index=index)


def _item(index: bool = True) -> Column[object]:
    key = ForeignKey("annotation_items.id", ondelete="CASCADE")
    return Column("item_id", key, nullable=False, index=index)


annotation_projects = Table(
    "annotation_projects",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("form", Text, nullable=False),
    # as asked for, without the gold questions: service.annotation.schemas.AnnotationProjectIn
    Column("definition", JSON, nullable=False),
    Column("systems", JSON, nullable=False),  # [{"system", "evaluation", "dataset"}]
    Column("left_out", JSON, nullable=False),  # why, and how many items
    Column("seed", BigInteger, nullable=False),
    Column("salt", LargeBinary, nullable=False),  # of what annotators are called in exports
    Column("overlap", Integer, nullable=False),
    Column("per_annotator", Integer, nullable=False),
    Column("lease_minutes", Integer, nullable=False),
    Column("completion_code", Text, nullable=False),
    stamp("created_at"),
    Column("closed_at", DateTime(timezone=True)),
)

# What is judged; texts are copied, so that they never change under those who judge.
annotation_items = Table(
    "annotation_items",
    metadata,
    Column("id", Text, primary_key=True),
    _project(),
    Column("position", Integer, nullable=False),  # items are given out in this order
    Column("kind", Text, nullable=False),
    Column("dataset_id", Text),  # null: of a gold question
    Column("sample", Text),
    Column("prompt", Text),
    Column("systems", TEXTS, nullable=False),  # of `outputs`, in their order; of gold: none
    Column("outputs", TEXTS, nullable=False),
    Column("expected", JSONB),  # the answer, in the order of `outputs`
    CheckConstraint(f"kind IN {KINDS}", name="kind"),
)

# Of a token there is a digest alone.
annotators = Table(
    "annotators",
    metadata,
    Column("id", Text, primary_key=True),
    _project(),
    Column("name", Text, nullable=False),
    Column("token_digest", LargeBinary, nullable=False, unique=True),
    stamp("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("imported", Boolean, nullable=False, server_default=text("false")),
)

# The right to vote once on an item. An item has as many numbered slots as its project's overlap;
# gold questions and repeats are for everybody: their slots are made as they are given out.
annotation_slots = Table(
    "annotation_slots",
    metadata,
    Column("id", Text, primary_key=True),  # random, and all that an annotator sees of an item
    _project(index=False),
    _item(index=False),
    Column("position", Integer, nullable=False),  # the item's
    Column("number", Integer),  # below the overlap
    Column("repeat", Boolean, nullable=False, server_default=text("false")),
    Column("status", Text, nullable=False, server_default="free"),
    Column("annotator_id", ForeignKey("annotators.id")),
    Column("lost_by", Text),  # the annotator who had it when a lease ended, last
    Column("lease_until", DateTime(timezone=True)),
    CheckConstraint(f"status IN {SLOT_STATUSES}", name="status"),
    CheckConstraint("(status = 'free') = (annotator_id IS NULL)", name="taken"),
    Index("uq_annotation_slots_number", "item_id", "number", unique=True),
    Index("uq_annotation_slots_annotator", "item_id", "annotator_id", "repeat", unique=True),
    Index(  # of what can be given out
        "ix_annotation_slots_open",
        "project_id",
        "position",
        "number",
        postgresql_where=text("status IN ('free', 'held') AND number IS NOT NULL"),
    ),
    Index(  # nobody holds two
        "uq_annotation_slots_held",
        "annotator_id",
        unique=True,
        postgresql_where=text("status = 'held'"),
    ),
    Index("ix_annotation_slots_of", "annotator_id"),
)

annotation_skips = Table(
    "annotation_skips",
    metadata,
    Column("id", Text, nullable=False, unique=True),
    Column("annotator_id", ForeignKey("annotators.id", ondelete="CASCADE"), primary_key=True),
    Column("item_id", ForeignKey("annotation_items.id", ondelete="CASCADE"), primary_key=True),
    Column("reason", Text),
    stamp("created_at"),
)

annotation_votes = Table(
    "annotation_votes",
    metadata,
    Column("id", Text, primary_key=True),
    _project(),
    _item(),
    Column("slot_id", ForeignKey("annotation_slots.id", ondelete="CASCADE")),
    Column("annotator_id", ForeignKey("annotators.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("answer", JSONB, nullable=False),  # in the order of the item's outputs
    Column("shown", ARRAY(Integer), nullable=False),  # that order, as it was seen: places
    Column("agrees", Boolean),  # with what is expected; of a repeat: with the first vote
    Column("comment", Text),
    Column("seconds", Float),
    stamp("created_at"),
    Column("undone_at", DateTime(timezone=True)),
    Column("imported", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint(f"kind IN {VOTE_KINDS}", name="kind"),
    Index(
        "uq_annotation_votes_slot",
        "slot_id",
        unique=True,
        postgresql_where=text("undone_at IS NULL"),
    ),
)

# Whose votes are in which version of a dataset: hashes, as in its records.
annotation_exports = Table(
    "annotation_exports",
    metadata,
    Column("project_id", ForeignKey("annotation_projects.id", ondelete="CASCADE")),
    Column("annotator", Text),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), index=True),
    PrimaryKeyConstraint("project_id", "annotator", "dataset_id"),
)
