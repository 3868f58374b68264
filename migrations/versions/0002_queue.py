"""The queue: Procrastinate's tables and functions, up to cancelling"""

from __future__ import annotations

from alembic import op

from migrations.queue_schema import CANCEL_STATES, apply

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    apply(op.get_bind(), CANCEL_STATES)
