"""Votes of a project, with what an analysis reads of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, func, literal, select

from service.annotation import annotators_store
from service.annotation.annotators_store import Annotator
from service.annotation.votes_store import STANDS
from service.db.annotation_tables import (
    annotation_items,
    annotation_judgements,
    annotation_votes,
    annotators,
)
from service.db.stored import Stored
from service.errors import invalid


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
    """What is judged: outputs of systems for one sample; imported ones are of no dataset."""

    id: str
    dataset_id: str | None
    sample: str | None
    systems: list[str]
    outputs: list[str]


@dataclass(frozen=True, slots=True)
class Shown(Stored):
    """An item, without its outputs."""

    id: str
    dataset_id: str | None
    sample: str | None
    prompt: str | None
    systems: list[str]


@dataclass(frozen=True, slots=True)
class State(Stored):
    """Which votes there are: it changes with each vote, undone vote and deleted person, and with
    what models judge; `ended` models are those that are asked no further."""

    votes: int
    stand: int
    last: str | None
    judged: int
    last_judged: str | None
    ended: int


@dataclass(frozen=True, slots=True)
class Rows:
    """All that an analysis reads. `items` by id, `names` by the annotator's; `judgements` are those
    of the `models`, which are by id."""

    votes: list[Vote]
    items: dict[str, Item]
    names: dict[str, str]
    judgements: list[Vote] = field(default_factory=list)
    models: dict[str, Annotator] = field(default_factory=dict)

    def without(self, people: Collection[str]) -> Rows:
        """Those of others than these annotators."""
        return replace(
            self,
            votes=[one for one in self.votes if one.annotator_id not in people],
            judgements=[one for one in self.judgements if one.annotator_id not in people],
            models={id: one for id, one in self.models.items() if id not in people},
        )


def state(db: Connection, project: str) -> State:
    """Which votes the project has now."""
    votes, judgements, models = annotation_votes.c, annotation_judgements.c, annotators.c
    of_project = judgements.project_id == project
    over = models.finished_at.is_not(None) | models.revoked_at.is_not(None)
    ended = select(func.count()).where(
        models.project_id == project, over, models.model.is_not(None)
    )
    query = select(
        func.count().label("votes"),
        func.count().filter(STANDS).label("stand"),
        func.max(votes.id).label("last"),
        select(func.count()).where(of_project).scalar_subquery().label("judged"),
        select(func.max(judgements.id)).where(of_project).scalar_subquery().label("last_judged"),
        ended.scalar_subquery().label("ended"),
    ).where(votes.project_id == project)
    return State.from_row(db.execute(query).one())


def read(db: Connection, project: str) -> Rows:
    """The project's votes that stand, oldest first, what they are on, and whose they are."""
    votes, models = _votes(db, project), annotators_store.models(db, project)
    return Rows(
        votes,
        _items(db, project),
        _names(db, project),
        _judgements(db, project) if models else [],
        {one.id: one for one in models},
    )


def _judgements(db: Connection, project: str) -> list[Vote]:
    """Models' answers, as votes."""
    judgements = annotation_judgements.c
    query = (
        select(
            *(judgements.item_id, judgements.annotator_id, annotation_items.c.kind),
            *(judgements.answer, judgements.shown, judgements.agrees),
            literal(None).label("seconds"),
        )
        .join(annotation_items, annotation_items.c.id == judgements.item_id)
        .where(judgements.project_id == project, judgements.answer.is_not(None))
        .order_by(judgements.id)
    )
    return [Vote.from_row(row) for row in db.execute(query)]


def page(
    db: Connection, project: str, *, after: str | None, limit: int, descending: bool
) -> list[Shown]:
    """Up to `limit` items of the project, in the order in which they are given out. Raises 422
    where there is none of the id `after`."""
    items = annotation_items.c
    query = select(annotation_items).where(items.project_id == project, items.kind == "item")
    if after is not None:
        before = select(items.position).where(items.project_id == project, items.id == after)
        place = db.scalar(before)
        if place is None:
            raise invalid("unknown_cursor", f"nothing in this list has the id {after!r}", "after")
        query = query.where(items.position < place if descending else items.position > place)
    order = items.position.desc() if descending else items.position
    return [Shown.from_row(row) for row in db.execute(query.order_by(order).limit(limit))]


def votes_on(
    db: Connection, items: Sequence[str], exclude: Collection[str] = ()
) -> dict[str, list[Vote]]:
    """By item, the votes that stand on it, without repeats, and those of people to `exclude`."""
    votes = annotation_votes.c
    query = select(annotation_votes).where(
        votes.item_id.in_(list(items)),
        votes.annotator_id.not_in(list(exclude)),
        votes.kind == "item",
        STANDS,
    )
    found: dict[str, list[Vote]] = {}
    for row in db.execute(query.order_by(votes.id)):
        found.setdefault(row.item_id, []).append(Vote.from_row(row))
    return found


def _votes(db: Connection, project: str) -> list[Vote]:
    mine = (annotation_votes.c.project_id == project) & STANDS
    query = select(annotation_votes).where(mine).order_by(annotation_votes.c.id)
    return [Vote.from_row(row) for row in db.execute(query)]


def _items(db: Connection, project: str) -> dict[str, Item]:
    voted = select(annotation_votes.c.item_id).where(annotation_votes.c.project_id == project)
    query = select(annotation_items).where(
        annotation_items.c.project_id == project,
        annotation_items.c.kind == "item",
        annotation_items.c.id.in_(voted),
    )
    return {row.id: Item.from_row(row) for row in db.execute(query)}


def _names(db: Connection, project: str) -> dict[str, str]:
    query = select(annotators.c.id, annotators.c.name).where(annotators.c.project_id == project)
    return {row.id: row.name for row in db.execute(query)}
