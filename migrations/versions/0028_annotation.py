"""Annotation projects: items, those who judge them, whose turn it is, votes"""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"

TABLES = (
    """
    CREATE TABLE annotation_projects (
        id text CONSTRAINT pk_annotation_projects PRIMARY KEY,
        name text NOT NULL,
        form text NOT NULL,
        definition json NOT NULL,
        systems json NOT NULL,
        left_out json NOT NULL,
        seed bigint NOT NULL,
        salt bytea NOT NULL,
        overlap integer NOT NULL,
        per_annotator integer NOT NULL,
        lease_minutes integer NOT NULL,
        completion_code text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        closed_at timestamptz
    )
    """,
    """
    CREATE TABLE annotation_items (
        id text CONSTRAINT pk_annotation_items PRIMARY KEY,
        project_id text NOT NULL CONSTRAINT fk_annotation_items_project_id
            REFERENCES annotation_projects (id) ON DELETE CASCADE,
        position integer NOT NULL,
        kind text NOT NULL,
        dataset_id text,
        sample text,
        prompt text,
        systems text[] NOT NULL,
        outputs text[] NOT NULL,
        expected jsonb,
        CONSTRAINT ck_annotation_items_kind CHECK (kind IN ('item', 'control', 'gold'))
    )
    """,
    """
    CREATE TABLE annotators (
        id text CONSTRAINT pk_annotators PRIMARY KEY,
        project_id text NOT NULL CONSTRAINT fk_annotators_project_id
            REFERENCES annotation_projects (id) ON DELETE CASCADE,
        name text NOT NULL,
        token_digest bytea NOT NULL CONSTRAINT uq_annotators_token_digest UNIQUE,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz
    )
    """,
    """
    CREATE TABLE annotation_slots (
        id text CONSTRAINT pk_annotation_slots PRIMARY KEY,
        project_id text NOT NULL CONSTRAINT fk_annotation_slots_project_id
            REFERENCES annotation_projects (id) ON DELETE CASCADE,
        item_id text NOT NULL CONSTRAINT fk_annotation_slots_item_id
            REFERENCES annotation_items (id) ON DELETE CASCADE,
        position integer NOT NULL,
        number integer,
        repeat boolean NOT NULL DEFAULT false,
        status text NOT NULL DEFAULT 'free',
        annotator_id text CONSTRAINT fk_annotation_slots_annotator_id REFERENCES annotators (id),
        lost_by text,
        lease_until timestamptz,
        CONSTRAINT ck_annotation_slots_status
            CHECK (status IN ('free', 'held', 'voted', 'skipped')),
        CONSTRAINT ck_annotation_slots_taken
            CHECK ((status = 'free') = (annotator_id IS NULL))
    )
    """,
    """
    CREATE TABLE annotation_skips (
        annotator_id text NOT NULL CONSTRAINT fk_annotation_skips_annotator_id
            REFERENCES annotators (id) ON DELETE CASCADE,
        item_id text NOT NULL CONSTRAINT fk_annotation_skips_item_id
            REFERENCES annotation_items (id) ON DELETE CASCADE,
        reason text,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT pk_annotation_skips PRIMARY KEY (annotator_id, item_id)
    )
    """,
    """
    CREATE TABLE annotation_votes (
        id text CONSTRAINT pk_annotation_votes PRIMARY KEY,
        project_id text NOT NULL CONSTRAINT fk_annotation_votes_project_id
            REFERENCES annotation_projects (id) ON DELETE CASCADE,
        item_id text NOT NULL CONSTRAINT fk_annotation_votes_item_id
            REFERENCES annotation_items (id) ON DELETE CASCADE,
        slot_id text CONSTRAINT fk_annotation_votes_slot_id
            REFERENCES annotation_slots (id) ON DELETE CASCADE,
        annotator_id text NOT NULL CONSTRAINT fk_annotation_votes_annotator_id
            REFERENCES annotators (id),
        kind text NOT NULL,
        answer jsonb NOT NULL,
        shown integer[] NOT NULL,
        agrees boolean,
        comment text,
        seconds double precision,
        created_at timestamptz NOT NULL DEFAULT now(),
        undone_at timestamptz,
        CONSTRAINT ck_annotation_votes_kind CHECK (kind IN ('item', 'control', 'gold', 'repeat'))
    )
    """,
)
INDEXES = (
    "CREATE INDEX ix_annotation_items_project_id ON annotation_items (project_id)",
    "CREATE INDEX ix_annotators_project_id ON annotators (project_id)",
    "CREATE UNIQUE INDEX uq_annotation_slots_number ON annotation_slots (item_id, number)",
    "CREATE UNIQUE INDEX uq_annotation_slots_annotator"
    " ON annotation_slots (item_id, annotator_id, repeat)",
    "CREATE INDEX ix_annotation_slots_open ON annotation_slots (project_id, position, number)"
    " WHERE status IN ('free', 'held') AND number IS NOT NULL",
    "CREATE UNIQUE INDEX uq_annotation_slots_held ON annotation_slots (annotator_id)"
    " WHERE status = 'held'",
    "CREATE INDEX ix_annotation_slots_of ON annotation_slots (annotator_id)",
    "CREATE INDEX ix_annotation_votes_project_id ON annotation_votes (project_id)",
    "CREATE INDEX ix_annotation_votes_item_id ON annotation_votes (item_id)",
    "CREATE INDEX ix_annotation_votes_annotator_id ON annotation_votes (annotator_id)",
    "CREATE UNIQUE INDEX uq_annotation_votes_slot ON annotation_votes (slot_id)"
    " WHERE undone_at IS NULL",
)
NAMES = (
    "annotation_votes",
    "annotation_skips",
    "annotation_slots",
    "annotators",
    "annotation_items",
    "annotation_projects",
)


def upgrade() -> None:
    for statement in (*TABLES, *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    for name in NAMES:
        op.drop_table(name)
