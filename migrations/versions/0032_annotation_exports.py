"""Whose votes are in which version of a dataset"""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0030"

TABLE = """
    CREATE TABLE annotation_exports (
        project_id text NOT NULL CONSTRAINT fk_annotation_exports_project_id
            REFERENCES annotation_projects (id) ON DELETE CASCADE,
        annotator text NOT NULL,
        dataset_id text NOT NULL CONSTRAINT fk_annotation_exports_dataset_id
            REFERENCES datasets (id) ON DELETE CASCADE,
        CONSTRAINT pk_annotation_exports PRIMARY KEY (project_id, annotator, dataset_id)
    )
"""
INDEX = "CREATE INDEX ix_annotation_exports_dataset_id ON annotation_exports (dataset_id)"

# Of what was exported before: a dataset is looked through where its first record is of a project.
EXPORTED = """
    INSERT INTO annotation_exports (project_id, annotator, dataset_id)
    SELECT DISTINCT p.id, annotator, first.dataset_id
    FROM annotation_projects p
    JOIN records first
        ON first.index = 0 AND first.content -> 'metadata' ->> 'project' = p.id
    JOIN records r ON r.dataset_id = first.dataset_id,
    jsonb_array_elements_text(
        CASE jsonb_typeof(r.content -> 'metadata' -> 'annotators')
            WHEN 'array' THEN r.content -> 'metadata' -> 'annotators' ELSE '[]' END
    ) AS annotator
    WHERE annotator IS NOT NULL
"""


def upgrade() -> None:
    for statement in (TABLE, INDEX, EXPORTED):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("annotation_exports")
