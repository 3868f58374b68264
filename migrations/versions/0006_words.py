"""Columns take the names that the code uses: what a metric concludes is its result"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.alter_column("evaluation_metrics", "verdict", new_column_name="result")


def downgrade() -> None:
    op.alter_column("evaluation_metrics", "result", new_column_name="verdict")
