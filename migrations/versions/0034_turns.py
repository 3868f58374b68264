"""Arenas: battles of several turns"""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE arena_battles
            ADD COLUMN turn integer NOT NULL DEFAULT 0,
            ADD COLUMN earlier jsonb NOT NULL DEFAULT '[]',
            ADD COLUMN turn_error jsonb
        """
    )


def downgrade() -> None:
    op.execute(
        "ALTER TABLE arena_battles DROP COLUMN turn, DROP COLUMN earlier, DROP COLUMN turn_error"
    )
