"""The same import again is the same evaluation, found by a digest of file and request"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"

INDEX = (
    "CREATE INDEX ix_evaluations_import ON evaluations ((origin ->> 'import_digest')) "
    "WHERE origin ? 'import_digest'"
)


def upgrade() -> None:
    op.execute(INDEX)


def downgrade() -> None:
    op.drop_index("ix_evaluations_import", "evaluations")
