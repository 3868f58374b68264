"""Training jobs have a name, metadata, a held-out set; what one would be can be asked"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("training_jobs", sa.Column("name", sa.Text()))
    metadata = sa.Column("metadata", postgresql.JSONB(), server_default="{}", nullable=False)
    op.add_column("training_jobs", metadata)
    op.add_column("training_jobs", sa.Column("validation", postgresql.JSON()))
    op.create_table(
        "previews",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request", postgresql.JSON(), nullable=False),
        sa.Column("response", postgresql.JSON()),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_previews"),
    )


def downgrade() -> None:
    op.drop_table("previews")
    for name in ("validation", "metadata", "name"):
        op.drop_column("training_jobs", name)
