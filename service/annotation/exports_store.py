"""Whose votes are in which version of a dataset, so that who is deleted is known to be in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from service.db.annotation_tables import annotation_exports
from service.db.stored import Stored
from service.db.tables import datasets


@dataclass(frozen=True, slots=True)
class Exported(Stored):
    """A version of a dataset that holds an annotator's votes."""

    annotator: str  # as `hashes` has it
    id: str
    name: str
    version: int


def add(db: Connection, project: str, dataset: str, annotators: Iterable[str]) -> None:
    """The version holds votes of the project's annotators, named by their hashes."""
    rows = [
        {"project_id": project, "annotator": one, "dataset_id": dataset}
        for one in sorted(set(annotators))
    ]
    db.execute(insert(annotation_exports).on_conflict_do_nothing(), rows)


def holding(db: Connection, project: str, annotators: Collection[str]) -> list[Exported]:
    """The versions that hold votes of these annotators of the project, oldest first."""
    columns = annotation_exports.c
    query = (
        select(columns.annotator, datasets.c.id, datasets.c.name, datasets.c.version)
        .join(datasets, datasets.c.id == columns.dataset_id)
        .where(columns.project_id == project, columns.annotator.in_(annotators))
        .order_by(datasets.c.created_at, datasets.c.name, datasets.c.version, columns.annotator)
    )
    return [Exported.from_row(row) for row in db.execute(query)]
