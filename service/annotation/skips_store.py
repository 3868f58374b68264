"""Items that annotators gave back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from service.db.annotation_tables import annotation_items, annotation_skips
from service.db.pages import paged
from service.db.stored import Stored


@dataclass(frozen=True, slots=True)
class Skipped(Stored):
    """A skip, and what was skipped."""

    id: str
    item_id: str
    annotator_id: str
    reason: str | None
    created_at: datetime
    dataset_id: str | None
    sample: str | None
    systems: list[str]


def page(
    db: Connection, project: str, *, after: str | None, limit: int, descending: bool
) -> list[Skipped]:
    """Up to `limit` skips of a project, by time."""
    items = annotation_items.c
    query = (
        select(annotation_skips, items.dataset_id, items.sample, items.systems)
        .join(annotation_items, items.id == annotation_skips.c.item_id)
        .where(items.project_id == project)
    )
    query = paged(db, query, annotation_skips.c.id, after=after, limit=limit, descending=descending)
    return [Skipped.from_row(row) for row in db.execute(query)]
