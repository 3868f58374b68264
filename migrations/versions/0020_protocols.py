"""Evaluations have a protocol, outputs say how they came about, boards are of a protocol"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("evaluations", sa.Column("protocol", postgresql.JSONB()))
    op.add_column("evaluations", sa.Column("protocol_digest", sa.Text))
    op.add_column(
        "evaluations",
        sa.Column("warnings", postgresql.JSONB(), nullable=False, server_default="[]"),
    )
    op.add_column("outputs", sa.Column("traces", postgresql.JSONB()))
    op.add_column("boards", sa.Column("protocol", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("boards", "protocol")
    op.drop_column("outputs", "traces")
    op.drop_column("evaluations", "warnings")
    op.drop_column("evaluations", "protocol_digest")
    op.drop_column("evaluations", "protocol")
