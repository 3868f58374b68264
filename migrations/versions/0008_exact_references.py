"""Which models a row needs, and what has been told, in columns: nothing is looked for in JSON"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

# of what is not over: what is, needs no model any more
OF_EVALUATIONS = """
UPDATE evaluations
   SET models = ARRAY(
           SELECT model WHERE model IS NOT NULL
            UNION
           SELECT params ->> 'model' FROM evaluation_metrics
            WHERE evaluation_id = evaluations.id AND params ->> 'model' IS NOT NULL)
 WHERE status IN ('queued', 'running')
"""
OF_JOBS = """
UPDATE training_jobs
   SET models = ARRAY(
           SELECT model
            UNION
           SELECT one -> 'params' ->> 'model'
             FROM json_array_elements(coalesce(options -> 'rewards', '[]')) one
            WHERE one -> 'params' ->> 'model' IS NOT NULL
            UNION
           SELECT one -> 'params' ->> 'model'
             FROM json_array_elements(coalesce(evaluation -> 'metrics', '[]')) one
            WHERE one -> 'params' ->> 'model' IS NOT NULL)
"""

FAILURES_TOLD = """
UPDATE checkpoints SET failure_told = evaluation_id
  FROM events
 WHERE events.parent = job_id AND events.type = 'evaluation_failed'
   AND events.data ->> 'evaluation' = evaluation_id
"""
START_FAILURES_TOLD = """
UPDATE training_jobs job SET start_failure_told = true
  FROM events
 WHERE events.parent = job.id AND events.type = 'evaluation_failed'
   AND events.data ->> 'evaluation' = job.start_evaluation
"""
HACKING_TOLD = """
UPDATE checkpoints SET reward_hacking = true
  FROM events
 WHERE events.parent = job_id AND events.type = 'divergence'
   AND events.data ->> 'checkpoint' = checkpoints.id
"""
PAUSE = """
UPDATE training_jobs
   SET evaluation = (evaluation::jsonb - '{old}'
                     || jsonb_build_object('{new}', evaluation::jsonb -> '{old}'))::json
 WHERE evaluation::jsonb ? '{old}'
"""


def upgrade() -> None:
    for table in ("evaluations", "training_jobs"):
        texts = postgresql.ARRAY(sa.Text())
        op.add_column(table, sa.Column("models", texts, server_default="{}", nullable=False))
    for table, name in [("training_jobs", "start_failure_told"), ("checkpoints", "reward_hacking")]:
        default = sa.text("false")
        op.add_column(table, sa.Column(name, sa.Boolean(), server_default=default, nullable=False))
    op.add_column("checkpoints", sa.Column("failure_told", sa.Text()))
    op.add_column("checkpoints", sa.Column("merge_error", sa.Text()))
    for statement in (OF_EVALUATIONS, OF_JOBS, FAILURES_TOLD, START_FAILURES_TOLD, HACKING_TOLD):
        op.execute(statement)
    op.execute(PAUSE.format(old="pause_on_divergence", new="pause_on_reward_hacking"))


def downgrade() -> None:
    op.execute(PAUSE.format(old="pause_on_reward_hacking", new="pause_on_divergence"))
    for name in ("merge_error", "failure_told", "reward_hacking"):
        op.drop_column("checkpoints", name)
    op.drop_column("training_jobs", "start_failure_told")
    for table in ("training_jobs", "evaluations"):
        op.drop_column(table, "models")
