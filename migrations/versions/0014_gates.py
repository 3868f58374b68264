"""Gates: named rules on when a system may replace another, and what their checks found"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "gates",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("content", postgresql.JSON, nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.UniqueConstraint("name", "version"),
    )
    op.create_table(
        "gate_checks",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column(
            "gate_id", sa.Text, sa.ForeignKey("gates.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column(
            "evaluation_id",
            sa.Text,
            sa.ForeignKey("evaluations.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("verdict", sa.Text),
        sa.Column("result", postgresql.JSON),
        sa.Column("error", postgresql.JSONB),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )
    op.create_index("ix_gate_checks_gate_id", "gate_checks", ["gate_id"])
    op.create_index("ix_gate_checks_evaluation_id", "gate_checks", ["evaluation_id"])
    op.add_column("evaluations", sa.Column("stop_when_settled", sa.Text))


def downgrade() -> None:
    op.drop_column("evaluations", "stop_when_settled")
    op.drop_table("gate_checks")
    op.drop_table("gates")
