"""Usages of evaluations tell what their metrics paid for apart from what was generated"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("usages", sa.Column("metric", sa.Integer, nullable=False, server_default="-1"))
    op.drop_constraint(op.f("pk_usages"), "usages")
    op.create_primary_key(op.f("pk_usages"), "usages", ["evaluation_id", "start", "metric"])


def downgrade() -> None:
    op.execute("DELETE FROM usages WHERE metric <> -1")
    op.drop_constraint(op.f("pk_usages"), "usages")
    op.drop_column("usages", "metric")
    op.create_primary_key(op.f("pk_usages"), "usages", ["evaluation_id", "start"])
