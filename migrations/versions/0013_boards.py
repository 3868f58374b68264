"""Computed boards, and how outputs were made: a board was computed at each reading"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "protocols",
        sa.Column(
            "evaluation_id",
            sa.Text,
            sa.ForeignKey("evaluations.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("content", postgresql.JSON(none_as_null=True), nullable=False),
    )
    op.create_table(
        "boards",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column(
            "dataset_id",
            sa.Text,
            sa.ForeignKey("datasets.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("score", sa.Text, nullable=False),
        sa.Column("slice", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("landed", sa.Integer, nullable=False),
        sa.Column("landed_at", sa.DateTime(timezone=True)),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("left_out", sa.Text, nullable=False),
        sa.Column(
            "computed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )
    op.create_table(
        "board_rows",
        sa.Column(
            "board_id", sa.Text, sa.ForeignKey("boards.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("evaluation_id", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.UniqueConstraint("board_id", "evaluation_id"),
    )


def downgrade() -> None:
    op.drop_table("board_rows")
    op.drop_table("boards")
    op.drop_table("protocols")
