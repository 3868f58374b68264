"""Evaluations travel as archives: the service has an id, and shards say what measured them"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

UNIQUE = (
    "CREATE UNIQUE INDEX ix_evaluations_archive ON evaluations ((origin ->> 'digest')) "
    "WHERE origin ? 'service'"
)


def upgrade() -> None:
    op.execute(UNIQUE)
    op.add_column("shards", sa.Column("machine", postgresql.JSONB()))
    made = op.create_table("service", sa.Column("id", sa.Text, primary_key=True))
    op.bulk_insert(made, [{"id": f"svc_{secrets.token_hex(8)}"}])


def downgrade() -> None:
    op.drop_table("service")
    op.drop_column("shards", "machine")
    op.drop_index("ix_evaluations_archive", "evaluations")
