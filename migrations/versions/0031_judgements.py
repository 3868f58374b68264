"""Models as annotators of projects, and what they say of items"""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"

ANNOTATORS = """
    ALTER TABLE annotators
        ADD COLUMN model text,
        ADD COLUMN options json,
        ADD COLUMN finished_at timestamptz,
        ADD COLUMN error text,
        ALTER COLUMN token_digest DROP NOT NULL,
        ALTER COLUMN expires_at DROP NOT NULL,
        ADD CONSTRAINT ck_annotators_link CHECK (
            (model IS NULL) = (token_digest IS NOT NULL AND expires_at IS NOT NULL))
"""
JUDGEMENTS = """
    CREATE TABLE annotation_judgements (
        id text CONSTRAINT pk_annotation_judgements PRIMARY KEY,
        project_id text NOT NULL CONSTRAINT fk_annotation_judgements_project_id
            REFERENCES annotation_projects (id) ON DELETE CASCADE,
        item_id text NOT NULL CONSTRAINT fk_annotation_judgements_item_id
            REFERENCES annotation_items (id) ON DELETE CASCADE,
        annotator_id text NOT NULL CONSTRAINT fk_annotation_judgements_annotator_id
            REFERENCES annotators (id) ON DELETE CASCADE,
        answer jsonb,
        reason text,
        shown integer[] NOT NULL,
        agrees boolean,
        comment text,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT ck_annotation_judgements_answered
            CHECK ((answer IS NULL) = (reason IS NOT NULL))
    )
"""
INDEXES = (
    "CREATE UNIQUE INDEX uq_annotation_judgements_item"
    " ON annotation_judgements (annotator_id, item_id)",
    "CREATE INDEX ix_annotation_judgements_project_id ON annotation_judgements (project_id)",
    "CREATE INDEX ix_annotation_judgements_item_id ON annotation_judgements (item_id)",
)


def upgrade() -> None:
    for statement in (ANNOTATORS, JUDGEMENTS, *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("annotation_judgements")
    op.execute("DELETE FROM annotators WHERE model IS NOT NULL")
    op.execute("ALTER TABLE annotators DROP CONSTRAINT ck_annotators_link")
    for column in ("token_digest", "expires_at"):
        op.execute(f"ALTER TABLE annotators ALTER COLUMN {column} SET NOT NULL")
    for column in ("model", "options", "finished_at", "error"):
        op.drop_column("annotators", column)
