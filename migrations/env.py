"""Alembic's environment: one transaction under an advisory lock; Procrastinate's tables left alone."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text

from service.tables import metadata

LOCK = 0x41535341_59  # "ASSAY": concurrent upgrades wait for each other


def include(name: str | None, kind: str, parents: object) -> bool:
    """Whether autogenerate may look at it: Procrastinate owns what bears its name."""
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


def run() -> None:
    url = context.config.attributes["url"]
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.configure(
            connection=connection, target_metadata=metadata, include_name=include, compare_type=True
        )
        context.run_migrations()


run()
