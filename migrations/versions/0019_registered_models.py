"""Models behind a URL are registered"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "registered_models",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("key_env", sa.Text),
        sa.Column("concurrency", sa.Integer, nullable=False),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("tokens_per_minute", sa.Integer),
        sa.Column("timeout_s", sa.Float, nullable=False),
        sa.Column("input_price", sa.Float),
        sa.Column("output_price", sa.Float),
        sa.Column("extra_body", postgresql.JSON(none_as_null=True), nullable=False),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("offers", postgresql.JSONB(none_as_null=True)),
        sa.Column("checked_at", moment),
        sa.Column("created_at", moment, nullable=False, server_default=sa.func.now()),
    )


def downgrade() -> None:
    op.drop_table("registered_models")
