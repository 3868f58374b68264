"""What models say of items, as it is stored: a row for each item that one was asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, FromClause, func, select
from sqlalchemy.dialects.postgresql import insert

from service.annotation.annotators_store import Work
from service.annotation.items_store import Item
from service.annotation.votes_store import Cast
from service.db.annotation_tables import annotation_items, annotation_judgements, annotation_votes
from service.db.identifiers import new

By = Literal["people", "models"]
MOST_REASONS = 10

judgements, items = annotation_judgements.c, annotation_items.c
ANSWERED = judgements.answer.is_not(None)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A model's answer on an item, in the order of its outputs, or the reason why there is none;
    `passing`: the server's fault."""

    item: str
    shown: list[int]
    answer: Mapping[str, Any] | None = None
    reason: str | None = None
    agrees: bool | None = None
    comment: str | None = None
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Answered(Cast):
    """A vote of a person, or an answer of a model, with its item."""

    item_id: str

    @property
    def unit(self) -> str:
        """What is drawn together: the sample; of votes from elsewhere, the item."""
        return f"{self.dataset_id}\x00{self.sample}" if self.sample else self.item_id


def pending(db: Connection, project: str, annotator: str, limit: int) -> list[Item]:
    """The first items, and gold questions, that the model was not asked about yet."""
    mine = (judgements.item_id == items.id) & (judgements.annotator_id == annotator)
    query = (
        select(annotation_items)
        .where(items.project_id == project, ~select(judgements.id).where(mine).exists())
        .order_by(items.position)
        .limit(limit)
    )
    return [Item.from_row(row) for row in db.execute(query)]


def add(db: Connection, project: str, annotator: str, made: Sequence[Judgement]) -> None:
    """Store them; of an item that the model has said something of, the first counts."""
    rows = [
        {
            **{"id": new("vote"), "project_id": project, "annotator_id": annotator},
            **{"item_id": one.item, "answer": one.answer, "reason": one.reason},
            **{"shown": one.shown, "agrees": one.agrees, "comment": one.comment},
        }
        for one in made
    ]
    if rows:
        db.execute(insert(annotation_judgements).on_conflict_do_nothing(), rows)


def count(db: Connection, annotator: str) -> int:
    """How many answers of the model there are."""
    mine = judgements.annotator_id == annotator
    return db.scalar(select(func.count()).where(mine, ANSWERED)) or 0


def work(db: Connection, ids: Sequence[str]) -> dict[str, Work]:
    """What each of the models did that did anything."""
    columns = [func.count().filter(ANSWERED).label("votes")]
    columns.append(func.count().filter(~ANSWERED).label("skips"))
    for kind in ("gold", "control"):
        checked = (items.kind == kind) & ANSWERED
        columns.append(func.count().filter(checked).label(kind))
        columns.append(func.count().filter(checked & judgements.agrees).label(f"{kind}_agreed"))
    query = (
        select(judgements.annotator_id, *columns)
        .join(annotation_items, items.id == judgements.item_id)
        .where(judgements.annotator_id.in_(list(ids)))
        .group_by(judgements.annotator_id)
    )
    return {
        row.annotator_id: Work(
            votes=row.votes,
            skips=row.skips,
            gold=row.gold,
            gold_agreed=row.gold_agreed,
            control=row.control,
            control_agreed=row.control_agreed,
            repeats=0,
            repeats_agreed=0,
            seconds=None,
        )
        for row in db.execute(query)
    }


def reasons(db: Connection, annotator: str) -> dict[str, int]:
    """Why the model skipped items, and how many: the commonest reasons."""
    many = func.count().label("many")
    query = (
        select(judgements.reason, many)
        .where(judgements.annotator_id == annotator, ~ANSWERED)
        .group_by(judgements.reason)
        .order_by(many.desc(), judgements.reason)
        .limit(MOST_REASONS)
    )
    return {row.reason: row.many for row in db.execute(query)}


def answers(db: Connection, project: str, by: By) -> list[Answered]:
    """All votes of people, or answers of models, on items of samples; gold questions, controls and
    repeats are left out."""
    votes = annotation_votes.c
    if by == "people":
        counted = (votes.kind == "item", votes.undone_at.is_(None))
        said: FromClause = select(annotation_votes).where(*counted).subquery()
    else:
        said = select(annotation_judgements).where(ANSWERED).subquery()
    query = (
        select(
            *(said.c.annotator_id, said.c.answer, items.dataset_id, items.sample, items.systems),
            said.c.item_id,
        )
        .join(annotation_items, items.id == said.c.item_id)
        .where(said.c.project_id == project, items.kind == "item")
        .order_by(said.c.id)
    )
    return [Answered.from_row(row) for row in db.execute(query)]
