"""Arenas and their battles as they are stored.

running -> open -> voted        a battle has no column for it: answers, error and choice tell
   |-> failed
   open -> running -> open      another turn; one without answers is taken back
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from service.db.arena_tables import arena_battles, arenas
from service.db.identifiers import new
from service.db.notices import notify
from service.db.pages import paged
from service.db.stored import Stored
from service.settings import Settings

Side = Literal["a", "b"]
SIDES: tuple[Side, ...] = ("a", "b")

DAYS_KEPT = 30  # of battles without a vote
REST = timedelta(minutes=1)  # of a model that gave no answer

battle = arena_battles.c
OPEN = battle.answer_a.is_not(None) & battle.answer_b.is_not(None) & battle.error.is_(None)
FIRST = battle.earlier[0]["prompt"].astext  # null where there is but one turn


@dataclass(frozen=True, slots=True)
class Arena(Stored):
    """An arena."""

    id: str
    name: str
    models: list[str]
    max_tokens: int
    temperature: float
    system: str | None
    language: Literal["en", "ru"]
    salt: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Battle(Stored):
    """A battle; `failed` is the model that gave no answer, `voter` a digest. Prompt and answers are
    of its last turn, `earlier` those before; `turn` counts what was asked before this one."""

    id: str
    arena_id: str
    prompt: str
    model_a: str
    model_b: str
    seed: int
    answer_a: str | None
    answer_b: str | None
    turn: int
    earlier: Sequence[Mapping[Literal["prompt", "a", "b"], str]]
    turn_error: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    failed: str | None
    choice: Literal["a", "b", "tie", "both_bad"] | None
    voter: str | None
    created_at: datetime
    voted_at: datetime | None

    @property
    def status(self) -> Literal["running", "open", "voted", "failed"]:
        """Where it stands."""
        if self.error is not None:
            return "failed"
        if self.choice is not None:
            return "voted"
        return "running" if None in {self.answer_a, self.answer_b} else "open"

    @property
    def length(self) -> int:
        """Characters of all prompts and answers."""
        last = (self.prompt, self.answer_a or "", self.answer_b or "")
        return sum(len(text) for turn in self.earlier for text in turn.values()) + len(
            "".join(last)
        )

    def model(self, side: Side) -> str:
        """Who answers on this side."""
        return self.model_a if side == "a" else self.model_b

    def answer(self, side: Side) -> str | None:
        """What was answered on this side."""
        return self.answer_a if side == "a" else self.answer_b


@dataclass(frozen=True, slots=True)
class Counts(Stored):
    """An arena's battles: with two answers, with a vote, failed."""

    battles: int
    votes: int
    failed: int


@dataclass(frozen=True, slots=True)
class VoteRow(Stored):
    """A vote; `item` is the same for equal first prompts."""

    id: str
    model_a: str
    model_b: str
    choice: Literal["a", "b", "tie", "both_bad"]
    voter: str | None
    item: str


@dataclass(frozen=True, slots=True)
class PairCount(Stored):
    """How many battles of two models, on these sides, were voted on so."""

    model_a: str
    model_b: str
    choice: Literal["a", "b", "tie", "both_bad"]
    votes: int


def create(db: Connection, values: Mapping[str, Any]) -> str:
    """Store an arena, and return its id."""
    id = new("arena")
    db.execute(insert(arenas).values(id=id, salt=secrets.token_bytes(16), **values))
    return id


def get(db: Connection, id: str) -> Arena | None:
    """The arena; None where there is none."""
    row = db.execute(select(arenas).where(arenas.c.id == id)).one_or_none()
    return Arena.from_row(row) if row is not None else None


def page(db: Connection, *, after: str | None, limit: int, descending: bool) -> list[Arena]:
    """Up to `limit` arenas, by time of creation."""
    query: Select[Any] = select(arenas)
    query = paged(db, query, arenas.c.id, after=after, limit=limit, descending=descending)
    return [Arena.from_row(row) for row in db.execute(query)]


def remove(db: Connection, id: str) -> bool:
    """Whether there was the arena, which is no more, nor are its battles."""
    gone = delete(arenas).where(arenas.c.id == id).returning(arenas.c.id)
    return db.execute(gone).one_or_none() is not None


def counts(db: Connection, ids: Sequence[str]) -> dict[str, Counts]:
    """Of each arena with a battle."""
    columns = (
        func.count().filter(OPEN).label("battles"),
        func.count(battle.choice).label("votes"),
        func.count(battle.error).label("failed"),
    )
    query = select(battle.arena_id, *columns).where(battle.arena_id.in_(list(ids)))
    found = db.execute(query.group_by(battle.arena_id))
    return {row.arena_id: Counts.from_row(row) for row in found}


def begin(db: Connection, arena: str, prompt: str, models: tuple[str, str]) -> Battle:
    """A battle that waits for its answers."""
    values: dict[str, object] = {"id": new("battle"), "arena_id": arena, "prompt": prompt}
    values |= {"model_a": models[0], "model_b": models[1]}
    values["seed"] = 1 + secrets.randbelow(2**31 - 1)
    row = db.execute(insert(arena_battles).values(values).returning(*battle)).one()
    return Battle.from_row(row)


def find(db: Connection, id: str, *, arena: str | None = None, lock: bool = False) -> Battle | None:
    """The battle, of this `arena` where one is named; None where there is none."""
    query = select(arena_battles).where(battle.id == id)
    if arena is not None:
        query = query.where(battle.arena_id == arena)
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    return Battle.from_row(row) if row is not None else None


def go_on(db: Connection, row: Battle, prompt: str) -> Battle:
    """The battle at another turn, which waits for its answers, by who has locked it."""
    before = {"prompt": row.prompt, "a": row.answer_a, "b": row.answer_b}
    values = {"turn": row.turn + 1, "earlier": [*row.earlier, before], "prompt": prompt}
    values |= dict.fromkeys(("answer_a", "answer_b", "turn_error"))
    change = update(arena_battles).where(battle.id == row.id).values(values)
    return Battle.from_row(db.execute(change.returning(*battle)).one())


def answer(db: Connection, row: Battle, side: Side, said: str) -> None:
    """One side's answer in this turn, unless there is one, or the battle has failed."""
    column = battle.answer_a if side == "a" else battle.answer_b
    _change(db, _at(row) & column.is_(None) & battle.error.is_(None), {column.name: said})
    notify(db, row.id)


def fail(db: Connection, row: Battle, model: str, error: Mapping[str, Any]) -> None:
    """A model gave no answer: the turn is taken back, and without turns before it the battle counts
    for nothing. Not where there are two answers."""
    values: dict[str, Any] = {"failed": model, "failed_at": func.now()}
    if row.earlier:
        *earlier, last = row.earlier
        values |= {"turn_error": dict(error), "earlier": earlier, "prompt": last["prompt"]}
        values |= {"answer_a": last["a"], "answer_b": last["b"]}
    else:
        values["error"] = dict(error)
    _change(db, _at(row) & battle.error.is_(None) & ~OPEN, values)
    notify(db, row.id)


def vote(db: Connection, id: str, choice: str, voter: str | None) -> None:
    """open -> voted, by who has locked it."""
    _change(db, battle.id == id, {"choice": choice, "voter": voter, "voted_at": func.now()})


def resting(db: Connection, arena: str) -> set[str]:
    """Models that gave no answer just now."""
    late = battle.failed_at > func.now() - REST
    query = select(battle.failed).where(battle.arena_id == arena, late)
    return set(db.scalars(query))


def pair_counts(db: Connection, arena: str) -> list[PairCount]:
    """All votes, counted."""
    kinds = (battle.model_a, battle.model_b, battle.choice)
    query = select(*kinds, func.count().label("votes")).group_by(*kinds)
    rows = db.execute(query.where(battle.arena_id == arena, battle.choice.is_not(None)))
    return [PairCount.from_row(row) for row in rows]


def count_fought(db: Connection, arena: str) -> int:
    """Battles of the last hour that wait for answers or a vote."""
    late = battle.created_at > func.now() - timedelta(hours=1)
    waiting = battle.choice.is_(None) & battle.error.is_(None) & late
    return db.scalar(select(func.count()).where(battle.arena_id == arena, waiting)) or 0


def count_votes(db: Connection, arena: str) -> int:
    """How many votes there are."""
    voted = battle.choice.is_not(None)
    return db.scalar(select(func.count()).where(battle.arena_id == arena, voted)) or 0


def votes(db: Connection, arena: str) -> list[VoteRow]:
    """All votes, in the order of their battles."""
    item = func.md5(func.coalesce(FIRST, battle.prompt)).label("item")
    columns = (battle.id, battle.model_a, battle.model_b, battle.choice, battle.voter, item)
    query = select(*columns).where(battle.arena_id == arena, battle.choice.is_not(None))
    return [VoteRow.from_row(row) for row in db.execute(query.order_by(battle.id))]


def voted(db: Connection, arena: str, *, after: str | None, limit: int) -> list[Battle]:
    """Up to `limit` battles with a vote, oldest first."""
    query = select(arena_battles).where(battle.arena_id == arena, battle.choice.is_not(None))
    query = paged(db, query, battle.id, after=after, limit=limit, descending=False)
    return [Battle.from_row(row) for row in db.execute(query)]


def forget_old(db: Connection, settings: Settings) -> None:
    """Delete battles that nobody voted on."""
    age = text("make_interval(days => :days)").bindparams(days=DAYS_KEPT)
    old = select(battle.id).where(battle.choice.is_(None), battle.created_at < func.now() - age)
    unlocked = old.with_for_update(skip_locked=True)
    db.execute(delete(arena_battles).where(battle.id.in_(unlocked)))


def _at(row: Battle) -> ColumnElement[bool]:
    """The battle, unless it is at another turn by now."""
    return (battle.id == row.id) & (battle.turn == row.turn)


def _change(db: Connection, those: ColumnElement[bool], values: Mapping[str, Any]) -> None:
    db.execute(update(arena_battles).where(those).values(**values))
