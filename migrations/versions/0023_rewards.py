"""Rewards are stored by name"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "rewards",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("content", postgresql.JSON(none_as_null=True), nullable=False),
        sa.Column("models", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
    )


def downgrade() -> None:
    op.drop_table("rewards")
