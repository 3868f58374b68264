"""Which votes were cast elsewhere, and by whom; skips have ids"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

TABLES = ("annotators", "annotation_votes")
SKIPS = "annotation_skips"


def upgrade() -> None:
    for name in TABLES:
        column = sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.text("false"))
        op.add_column(name, column)
        op.execute(
            f"UPDATE {name} SET imported = true WHERE project_id IN "  # noqa: S608
            "(SELECT id FROM annotation_projects WHERE definition->'imported' IS NOT NULL)"
        )
    op.add_column(SKIPS, sa.Column("id", sa.Text))
    op.execute("UPDATE annotation_skips SET id = 'skip_' || md5(annotator_id || item_id)")
    op.alter_column(SKIPS, "id", nullable=False)
    op.create_unique_constraint("uq_annotation_skips_id", SKIPS, ["id"])


def downgrade() -> None:
    op.drop_column(SKIPS, "id")
    for name in TABLES:
        op.drop_column(name, "imported")
