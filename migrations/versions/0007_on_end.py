"""What follows an evaluation's end is stored with it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

# unfinished evaluations that training jobs wait for: until now their jobs were looked up at the end
OF_CHECKPOINTS = """
UPDATE evaluations
   SET on_end = jsonb_build_object('task', 'train.select', 'ids', jsonb_build_object('job', job_id))
  FROM checkpoints
 WHERE checkpoints.evaluation_id = evaluations.id
   AND evaluations.status IN ('queued', 'running')
"""
OF_STARTS = """
UPDATE evaluations
   SET on_end = jsonb_build_object('task', 'train.select', 'ids', jsonb_build_object('job', job.id))
  FROM training_jobs job
 WHERE job.start_evaluation = evaluations.id
   AND evaluations.status IN ('queued', 'running')
"""


def upgrade() -> None:
    column = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    op.add_column("evaluations", sa.Column("on_end", column, nullable=True))
    op.execute(OF_CHECKPOINTS)
    op.execute(OF_STARTS)


def downgrade() -> None:
    op.drop_column("evaluations", "on_end")
