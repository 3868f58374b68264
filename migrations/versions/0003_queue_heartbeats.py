"""The queue: Procrastinate's heartbeats, aborting and batches"""

from __future__ import annotations

from alembic import op

from migrations.queue_schema import HEARTBEATS, apply

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    apply(op.get_bind(), HEARTBEATS)
