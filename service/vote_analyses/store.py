"""Votes of a project, with what an analysis reads of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from service.annotation.votes_store import STANDS
from service.db.annotation_tables import annotation_items, annotation_votes, annotators
from service.db.stored import Stored


@dataclass(frozen=True, slots=True)
class Vote(Stored):
    """A vote that stands; `answer` is in the order of the item's outputs."""

    item_id: str
    annotator_id: str
    kind: str
    answer: Mapping[str, Any]
    shown: list[int]
    agrees: bool | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Item(Stored):
    """What is judged: outputs of systems for one sample."""

    id: str
    dataset_id: str
    sample: str
    systems: list[str]
    outputs: list[str]


def votes(db: Connection, project: str) -> list[Vote]:
    """All votes of the project that stand, oldest first."""
    mine = (annotation_votes.c.project_id == project) & STANDS
    query = select(annotation_votes).where(mine).order_by(annotation_votes.c.id)
    return [Vote.from_row(row) for row in db.execute(query)]


def items(db: Connection, project: str) -> dict[str, Item]:
    """Items of the project that have votes and tell of systems, by id."""
    voted = select(annotation_votes.c.item_id).where(annotation_votes.c.project_id == project)
    query = select(annotation_items).where(
        annotation_items.c.project_id == project,
        annotation_items.c.kind == "item",
        annotation_items.c.id.in_(voted),
    )
    return {row.id: Item.from_row(row) for row in db.execute(query)}


def names(db: Connection, project: str) -> dict[str, str]:
    """What the project's annotators are called, by id."""
    query = select(annotators.c.id, annotators.c.name).where(annotators.c.project_id == project)
    return {row.id: row.name for row in db.execute(query)}
