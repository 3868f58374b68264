"""Which votes were cast elsewhere, and by whom"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0030"

TABLES = ("annotators", "annotation_votes")


def upgrade() -> None:
    for name in TABLES:
        column = sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.text("false"))
        op.add_column(name, column)
        op.execute(
            f"UPDATE {name} SET imported = true WHERE project_id IN "  # noqa: S608
            "(SELECT id FROM annotation_projects WHERE definition->'imported' IS NOT NULL)"
        )


def downgrade() -> None:
    for name in TABLES:
        op.drop_column(name, "imported")
