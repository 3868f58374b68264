"""Stored arenas and battles as answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from service.arenas import store
from service.arenas.instructions import instructions
from service.arenas.schemas import ArenaOut, BattleErrorOut, BattleOut, SidesOut, TurnOut
from service.arenas.store import Arena, Battle, Counts

NONE = Counts(0, 0, 0)
NO_ANSWER = "a model gave no answer to that prompt: vote, or ask something else"


def arena_views(db: Connection, rows: Sequence[Arena]) -> list[ArenaOut]:
    """Arenas with their counts."""
    counted = store.counts(db, [row.id for row in rows])
    return [_arena_view(row, counted.get(row.id, NONE)) for row in rows]


def battle_view(row: Battle) -> BattleOut:
    """A battle as a voter may see it: one answer alone, or a name before the vote, is not shown."""
    status, error = row.status, fault(row)
    shown = status in {"open", "voted"}
    voted = status == "voted"
    return BattleOut(
        id=row.id,
        arena=row.arena_id,
        status=status,
        prompt=row.prompt,
        a=row.answer_a if shown else None,
        b=row.answer_b if shown else None,
        turn=row.turn,
        earlier=[TurnOut.model_validate(one) for one in row.earlier],
        choice=row.choice,
        models=SidesOut(a=row.model_a, b=row.model_b) if voted else None,
        error=BattleErrorOut(code=error["code"], message=error["message"]) if error else None,
        created_at=row.created_at,
    )


def fault(row: Battle) -> Mapping[str, Any] | None:
    """Why there are no answers, as {"status", "code", "message"}; whose fault that is, not while a
    vote may follow."""
    error = row.error or row.turn_error
    return {**error, "message": NO_ANSWER} if error and row.status == "open" else error


def _arena_view(row: Arena, counts: Counts) -> ArenaOut:
    return ArenaOut(
        id=row.id,
        name=row.name,
        models=row.models,
        max_tokens=row.max_tokens,
        temperature=row.temperature,
        system=row.system,
        language=row.language,
        instructions=instructions(row.language),
        battles=counts.battles,
        votes=counts.votes,
        failed=counts.failed,
        created_at=row.created_at,
    )
