"""Arenas: battles of two models, votes"""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"

TABLES = (
    """
    CREATE TABLE arenas (
        id text CONSTRAINT pk_arenas PRIMARY KEY,
        name text NOT NULL,
        models text[] NOT NULL,
        max_tokens integer NOT NULL,
        temperature double precision NOT NULL,
        system text,
        language text NOT NULL,
        salt bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE arena_battles (
        id text CONSTRAINT pk_arena_battles PRIMARY KEY,
        arena_id text NOT NULL CONSTRAINT fk_arena_battles_arena_id
            REFERENCES arenas (id) ON DELETE CASCADE,
        prompt text NOT NULL,
        model_a text NOT NULL,
        model_b text NOT NULL,
        seed bigint NOT NULL,
        answer_a text,
        answer_b text,
        error jsonb,
        failed text,
        choice text,
        voter text,
        created_at timestamptz NOT NULL DEFAULT now(),
        failed_at timestamptz,
        voted_at timestamptz,
        CONSTRAINT ck_arena_battles_choice CHECK (choice IN ('a', 'b', 'tie', 'both_bad')),
        CONSTRAINT ck_arena_battles_voted CHECK (choice IS NULL OR
            (answer_a IS NOT NULL AND answer_b IS NOT NULL AND error IS NULL))
    )
    """,
)
INDEXES = (
    "CREATE INDEX ix_arena_battles_arena_id ON arena_battles (arena_id, id)",
    "CREATE INDEX ix_arena_battles_votes ON arena_battles (arena_id) WHERE choice IS NOT NULL",
    "CREATE INDEX ix_arena_battles_unvoted ON arena_battles (created_at) WHERE choice IS NULL",
)


def upgrade() -> None:
    for statement in (*TABLES, *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("arena_battles")
    op.drop_table("arenas")
