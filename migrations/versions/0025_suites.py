"""Suites that users declare, and which one an evaluation was asked for by"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "own_suites",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("content", postgresql.JSON, nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )
    op.add_column("evaluations", sa.Column("suite", sa.Text))
    op.add_column(
        "evaluations",
        sa.Column("left_out", postgresql.JSONB, nullable=False, server_default="[]"),
    )


def downgrade() -> None:
    op.drop_column("evaluations", "left_out")
    op.drop_column("evaluations", "suite")
    op.drop_table("own_suites")
