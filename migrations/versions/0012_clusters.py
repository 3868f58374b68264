"""Samples that belong together: the cluster of an evaluation, and what it does to its scores"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("evaluations", sa.Column("cluster", sa.Text))
    op.add_column("scores", sa.Column("clusters", sa.Integer))
    op.add_column("scores", sa.Column("design_effect", sa.Float))
    op.add_column("scores", sa.Column("variance", JSONB))


def downgrade() -> None:
    op.drop_column("scores", "variance")
    op.drop_column("scores", "design_effect")
    op.drop_column("scores", "clusters")
    op.drop_column("evaluations", "cluster")
