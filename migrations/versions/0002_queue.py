"""The queue: Procrastinate's tables and functions, from its own SQL files"""

from __future__ import annotations

from alembic import op

from migrations.queue_schema import INITIAL, apply

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    apply(op.get_bind(), INITIAL)
