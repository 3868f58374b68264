"""When people's votes last changed an evaluation's scores"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.add_column("evaluations", sa.Column("voted_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("evaluations", "voted_at")
