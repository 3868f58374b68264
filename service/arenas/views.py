"""Stored arenas and battles as answers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from service.arenas import store
from service.arenas.instructions import instructions
from service.arenas.schemas import ArenaOut, BattleErrorOut, BattleOut, SidesOut
from service.arenas.store import Arena, Battle, Counts

NONE = Counts(0, 0, 0)


def arena_views(db: Connection, rows: Sequence[Arena]) -> list[ArenaOut]:
    """Arenas with their counts."""
    counted = store.counts(db, [row.id for row in rows])
    return [_arena_view(row, counted.get(row.id, NONE)) for row in rows]


def battle_view(row: Battle) -> BattleOut:
    """A battle as a voter may see it: one answer alone, or a name before the vote, is not shown."""
    status = row.status
    shown = status in {"open", "voted"}
    voted = status == "voted"
    error = row.error
    return BattleOut(
        id=row.id,
        arena=row.arena_id,
        status=status,
        prompt=row.prompt,
        a=row.answer_a if shown else None,
        b=row.answer_b if shown else None,
        choice=row.choice,
        models=SidesOut(a=row.model_a, b=row.model_b) if voted else None,
        error=BattleErrorOut(code=error["code"], message=error["message"]) if error else None,
        created_at=row.created_at,
    )


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
