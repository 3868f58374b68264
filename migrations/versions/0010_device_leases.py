"""GPUs that training jobs hold: jobs of several processes took each other's"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "device_leases",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column(
            "job_id", sa.Text, sa.ForeignKey("training_jobs.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column(
            "seen_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )


def downgrade() -> None:
    op.drop_table("device_leases")
