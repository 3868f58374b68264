"""Evaluations come from other harnesses' logs, some of them with values and no rows"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("evaluations", sa.Column("origin", postgresql.JSONB()))
    op.add_column(
        "evaluation_metrics",
        sa.Column("reported", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("evaluation_metrics", "reported")
    op.drop_column("evaluations", "origin")
