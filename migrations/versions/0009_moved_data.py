"""Folders of checkpoints are stored below the data folder, which may be moved"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

# a job's folder is DATA_DIR/training/JOB, whatever DATA_DIR was called
BELOW = """
UPDATE checkpoints
   SET folder = substring(folder FROM position('/training/' || job_id || '/' IN folder) + 1)
 WHERE position('/training/' || job_id || '/' IN folder) > 0
"""


def upgrade() -> None:
    op.execute(BELOW)


def downgrade() -> None:
    """Earlier versions take the folders from where they run: the data folder is not known here."""
