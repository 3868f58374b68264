"""Training jobs have a name, metadata, a held-out set; what one would be can be asked"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

NAMES = (
    "ALTER INDEX ix_{old}_requests_pending RENAME TO ix_{new}_requests_pending",
    "ALTER INDEX pk_{old}_requests RENAME TO pk_{new}_requests",
)


def upgrade() -> None:
    op.add_column("training_jobs", sa.Column("name", sa.Text()))
    metadata = sa.Column("metadata", postgresql.JSONB(), server_default="{}", nullable=False)
    op.add_column("training_jobs", metadata)
    op.add_column("training_jobs", sa.Column("validation", postgresql.JSON()))
    op.rename_table("score_requests", "worker_requests")
    op.alter_column("worker_requests", "group", nullable=True)
    for statement in NAMES:
        op.execute(statement.format(old="score", new="worker"))


def downgrade() -> None:
    for statement in reversed(NAMES):
        op.execute(statement.format(old="worker", new="score"))
    op.execute('DELETE FROM worker_requests WHERE "group" IS NULL')
    op.alter_column("worker_requests", "group", nullable=False)
    op.rename_table("worker_requests", "score_requests")
    for name in ("validation", "metadata", "name"):
        op.drop_column("training_jobs", name)
