"""Boards that users define, over several datasets; what outputs are, so that equal ones are told"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "defined_boards",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("definition", postgresql.JSON(none_as_null=True), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.Column("known", sa.Text),
        sa.Column("content", sa.Text),
    )
    op.create_table(
        "output_digests",
        sa.Column(
            "evaluation_id",
            sa.Text,
            sa.ForeignKey("evaluations.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("digests", sa.LargeBinary, nullable=False),
        sa.Column("in_references", sa.Float),
    )


def downgrade() -> None:
    op.drop_table("output_digests")
    op.drop_table("defined_boards")
