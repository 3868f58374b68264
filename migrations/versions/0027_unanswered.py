"""Requests that were out when their process was killed count against a budget"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

COLUMNS = {
    "unanswered_requests": sa.BigInteger,
    "unanswered_tokens": sa.BigInteger,
    "unanswered_cost": sa.Float,
}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("usages", sa.Column(name, kind, nullable=False, server_default="0"))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("usages", name)
