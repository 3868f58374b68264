"""Annotation projects as they are stored.

Whoever changes what belongs to a project locks in this order: the project, the annotator, the slot.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from service.db.annotation_tables import annotation_projects
from service.db.identifiers import new
from service.db.pages import paged
from service.db.stored import Stored
from service.errors import not_found


@dataclass(frozen=True, slots=True)
class Project(Stored):
    """A project; `definition` is an `AnnotationProjectIn` without its gold questions."""

    id: str
    name: str
    form: str
    definition: Mapping[str, Any]
    systems: list[dict[str, str]]
    left_out: Mapping[str, int]
    seed: int
    salt: bytes
    overlap: int
    per_annotator: int
    lease_minutes: int
    completion_code: str
    created_at: datetime
    closed_at: datetime | None

    @property
    def evaluated(self) -> list[dict[str, str]]:
        """The systems whose evaluations are known here: none of votes from elsewhere."""
        return [one for one in self.systems if "evaluation" in one]


@dataclass(frozen=True, slots=True)
class Progress(Stored):
    """How far a project is, in numbered slots, and what else belongs to it."""

    items: int
    gold: int
    controls: int
    wanted: int
    votes: int
    held: int
    annotators: int


def create(
    db: Connection,
    *,
    name: str,
    form: str,
    definition: Mapping[str, Any],
    systems: Sequence[Mapping[str, str]],
    left_out: Mapping[str, int],
    seed: int,
    overlap: int,
    per_annotator: int,
    lease_minutes: int,
) -> str:
    """Store a project without items, and return its id."""
    id = new("annproj")
    values = {
        "id": id,
        "name": name,
        "form": form,
        "definition": dict(definition),
        "systems": [dict(one) for one in systems],
        "left_out": dict(left_out),
        "seed": seed,
        "salt": secrets.token_bytes(16),
        "overlap": overlap,
        "per_annotator": per_annotator,
        "lease_minutes": lease_minutes,
        "completion_code": secrets.token_hex(4).upper(),
    }
    db.execute(insert(annotation_projects).values(values))
    return id


def get(db: Connection, id: str) -> Project | None:
    """The project; None where there is none."""
    query = select(annotation_projects).where(annotation_projects.c.id == id)
    row = db.execute(query).one_or_none()
    return Project.from_row(row) if row is not None else None


def require(db: Connection, id: str) -> Project:
    """The project. Raises 404."""
    found = get(db, id)
    if found is None:
        raise not_found("annotation project", id)
    return found


def page(db: Connection, *, after: str | None, limit: int, descending: bool) -> list[Project]:
    """Up to `limit` projects, by time of creation."""
    key = annotation_projects.c.id
    query: Select[Any] = select(annotation_projects)
    query = paged(db, query, key, after=after, limit=limit, descending=descending)
    return [Project.from_row(row) for row in db.execute(query)]


def progress(db: Connection, ids: Sequence[str]) -> dict[str, Progress]:
    """How far each project is."""
    query = text(
        "SELECT p.id, s.*, i.*, "
        "(SELECT count(*) FROM annotators a WHERE a.project_id = p.id) AS annotators "
        "FROM annotation_projects p, "
        "LATERAL (SELECT count(*) AS wanted, count(*) FILTER (WHERE status = 'voted') AS votes, "
        "count(*) FILTER (WHERE status = 'held' AND lease_until > now()) AS held "
        "FROM annotation_slots WHERE project_id = p.id AND number IS NOT NULL) s, "
        "LATERAL (SELECT count(*) FILTER (WHERE kind = 'item') AS items, "
        "count(*) FILTER (WHERE kind = 'gold') AS gold, "
        "count(*) FILTER (WHERE kind = 'control') AS controls "
        "FROM annotation_items WHERE project_id = p.id) i WHERE p.id = ANY(:ids)"
    )
    return {row.id: Progress.from_row(row) for row in db.execute(query, {"ids": list(ids)})}


def share(db: Connection, id: str) -> Project:
    """The project, which stays until the transaction ends. Raises 404."""
    query = select(annotation_projects.c.id).where(annotation_projects.c.id == id)
    db.execute(query.with_for_update(read=True, key_share=True))
    return require(db, id)


def hold(db: Connection, id: str) -> Project:
    """The project. Exports, and deletions of its people, wait for each other until the transaction
    ends: no version holds votes of whom nobody was told. Votes do not wait. Raises 404."""
    query = select(annotation_projects.c.id).where(annotation_projects.c.id == id)
    db.execute(query.with_for_update(key_share=True))
    return require(db, id)


def close(db: Connection, id: str) -> None:
    """No item is given out any more."""
    still = (annotation_projects.c.id == id) & annotation_projects.c.closed_at.is_(None)
    db.execute(update(annotation_projects).where(still).values(closed_at=func.now()))


def remove(db: Connection, id: str) -> bool:
    """Whether there was the project, which is no more, nor are its items, annotators and votes."""
    # before the row itself, so that whoever votes now is waited for, and not the other way round
    query = select(annotation_projects.c.id).where(annotation_projects.c.id == id)
    if db.execute(query.with_for_update()).one_or_none() is None:
        return False
    db.execute(delete(annotation_projects).where(annotation_projects.c.id == id))
    return True
