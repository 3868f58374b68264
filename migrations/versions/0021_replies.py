"""Replies are stored as they arrive, limits hold over all workers, outputs say what they took"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "replies",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("content", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("used_at", moment, nullable=False, server_default=sa.func.now()),
    )
    op.create_index("ix_replies_scope", "replies", ["scope"])
    op.create_index("ix_replies_used_at", "replies", ["used_at"])
    op.create_table(
        "model_minutes",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "usages",
        sa.Column(
            "evaluation_id",
            sa.Text,
            sa.ForeignKey("evaluations.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("start", sa.Integer, primary_key=True),
        *(
            sa.Column(name, kind, nullable=False, server_default="0")
            for name, kind in (
                ("requests", sa.BigInteger),
                ("input_tokens", sa.BigInteger),
                ("output_tokens", sa.BigInteger),
                ("cost", sa.Float),
                ("cached", sa.BigInteger),
                ("held_requests", sa.BigInteger),
                ("held_tokens", sa.BigInteger),
                ("held_cost", sa.Float),
            )
        ),
    )
    op.add_column("outputs", sa.Column("details", postgresql.JSONB(none_as_null=True)))
    op.add_column("evaluations", sa.Column("budget", postgresql.JSONB(none_as_null=True)))


def downgrade() -> None:
    op.drop_column("evaluations", "budget")
    op.drop_column("outputs", "details")
    op.drop_table("usages")
    op.drop_table("model_minutes")
    op.drop_table("replies")
