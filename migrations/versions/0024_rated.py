"""Scores that go by people's ratings say how many there are"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("scores", sa.Column("rated", sa.Integer))


def downgrade() -> None:
    op.drop_column("scores", "rated")
