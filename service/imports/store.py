"""Imports that are stored: the same file, asked for in the same way, is the same evaluation."""

from __future__ import annotations

from sqlalchemy import Connection, exists, or_, select, text

from service.db.tables import evaluation_metrics
from service.db.tables import evaluations as table

DIGEST = "import_digest"  # in an evaluation's origin


def lock(db: Connection, file: str) -> None:
    """Whoever imports the same file waits for the end of this transaction.

    file  its digest
    """
    taken = text("SELECT pg_advisory_xact_lock(hashtextextended(:file, 18))")
    db.execute(taken, {"file": file})


def find(db: Connection, digest: str) -> str | None:
    """The id of the evaluation that was imported so; None where there is none, or where one has
    ended without all of its results: only another import gives these."""
    lacking = exists().where(
        evaluation_metrics.c.evaluation_id == table.c.id,
        evaluation_metrics.c.result.is_(None),
        ~evaluation_metrics.c.reported,
    )
    query = select(table.c.id).where(
        table.c.origin[DIGEST].astext == digest,
        table.c.origin.has_key(DIGEST),
        or_(table.c.status.in_(("queued", "running")), (table.c.status == "succeeded") & ~lacking),
    )
    return db.scalar(query.order_by(table.c.created_at.desc()).limit(1))
