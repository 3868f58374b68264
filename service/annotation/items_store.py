"""Items of annotation projects: texts to be judged, copied from evaluations or given as gold."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, select

from service.db.annotation_tables import annotation_items, annotation_slots
from service.db.bulk import copy
from service.db.stored import Stored

COLUMNS = (
    *("id", "project_id", "position", "kind", "dataset_id", "sample", "prompt"),
    *("systems", "outputs", "expected"),
)
SLOT_COLUMNS = ("id", "project_id", "item_id", "position", "number")


@dataclass(frozen=True, slots=True)
class Made:
    """An item that is about to be stored; `systems` are those of `outputs`, in their order."""

    kind: str
    prompt: str | None
    outputs: Sequence[str]
    systems: Sequence[str] = ()
    dataset: str | None = None
    sample: str | None = None
    expected: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Item(Stored):
    """An item as it is stored."""

    id: str
    kind: str
    prompt: str | None
    systems: list[str]
    outputs: list[str]
    expected: Mapping[str, Any] | None


def add(db: Connection, project: str, made: Sequence[Made], overlap: int) -> list[str]:
    """Store the items in their order, with `overlap` slots each; gold questions have none. Returns
    their ids."""
    ids = [f"aitem_{secrets.token_hex(10)}" for _ in made]
    copy(
        db,
        annotation_items,
        COLUMNS,
        (
            (
                *(id, project, place, one.kind, one.dataset, one.sample, one.prompt),
                *(list(one.systems), list(one.outputs)),
                Jsonb(dict(one.expected)) if one.expected is not None else None,
            )
            for place, (id, one) in enumerate(zip(ids, made, strict=True))
        ),
    )
    copy(
        db,
        annotation_slots,
        SLOT_COLUMNS,
        (
            (new_slot(), project, id, place, number)
            for place, (id, one) in enumerate(zip(ids, made, strict=True))
            if one.kind != "gold"
            for number in range(overlap)
        ),
    )
    return ids


def new_slot() -> str:
    """The id of a slot: it does not tell when it was made, as that of a repeat would."""
    return f"item_{secrets.token_hex(10)}"


def require(db: Connection, id: str) -> Item:
    """The item, which is there."""
    return Item.from_row(
        db.execute(select(annotation_items).where(annotation_items.c.id == id)).one()
    )


def unseen_gold(db: Connection, project: str, annotator: str) -> list[str]:
    """Gold questions that were not put to the annotator yet."""
    seen = select(annotation_slots.c.item_id).where(annotation_slots.c.annotator_id == annotator)
    query = select(annotation_items.c.id).where(
        annotation_items.c.project_id == project,
        annotation_items.c.kind == "gold",
        annotation_items.c.id.not_in(seen),
    )
    return sorted(db.scalars(query))


def first_outputs(db: Connection, project: str) -> dict[str, str]:
    """The first output of each item of the project."""
    items = annotation_items.c
    query = select(items.id, items.outputs[1].label("text")).where(items.project_id == project)
    return {row.id: row.text for row in db.execute(query)}
