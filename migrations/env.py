"""Alembic's environment: a transaction a revision, all under one advisory lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text

from service.db.analysis_tables import analyses
from service.db.annotation_tables import annotation_projects
from service.db.arena_tables import arenas
from service.db.board_tables import boards
from service.db.calibration_tables import calibrations
from service.db.gate_tables import gates
from service.db.model_tables import registered_models
from service.db.reply_tables import replies
from service.db.reward_tables import rewards
from service.db.suite_tables import own_suites

TABLES = (
    analyses,
    annotation_projects,
    arenas,
    boards,
    calibrations,
    gates,
    own_suites,
    registered_models,
    replies,
    rewards,
)  # of files of their own; their metadata is that of all tables
LOCK = 0x41535341_59  # "ASSAY": concurrent upgrades wait for each other


def include(name: str | None, kind: str, parents: object) -> bool:
    """Whether autogenerate may look at it: Procrastinate owns what bears its name."""
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


def run() -> None:
    engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as lock, engine.connect() as connection:
        # held by the session, until it closes: revisions commit one by one
        lock.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        context.configure(
            connection=connection,
            target_metadata=TABLES[0].metadata,
            include_name=include,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
