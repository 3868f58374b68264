"""Stored arenas and battles as answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from service.arenas import store
from service.arenas.instructions import instructions
from service.arenas.schemas import (
    ArenaOut,
    ArenaVoteOut,
    BattleErrorOut,
    BattleMessageOut,
    BattleOut,
    BattleTurnOut,
    SidesOut,
    Winner,
)
from service.arenas.store import Arena, Battle, Counts, Side

NONE = Counts(0, 0, 0)
WINNERS: Mapping[str, Winner] = {
    "a": "model_a",
    "b": "model_b",
    "tie": "tie",
    "both_bad": "tie (bothbad)",
}
NO_ANSWER = "a model gave no answer to that prompt: vote, or ask something else"


def arena_views(db: Connection, rows: Sequence[Arena], base: object) -> list[ArenaOut]:
    """Arenas with their counts; `base` is the service's own address."""
    counted = store.counts(db, [row.id for row in rows])
    return [_arena_view(row, counted.get(row.id, NONE), base) for row in rows]


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
        earlier=[BattleTurnOut.model_validate(one) for one in row.earlier],
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


def vote_view(row: Battle) -> ArenaVoteOut:
    """The vote on a battle that has one."""
    if row.choice is None or row.voted_at is None:
        raise ValueError(f"there is no vote on {row.id}")
    return ArenaVoteOut(
        id=row.id,
        model_a=row.model_a,
        model_b=row.model_b,
        winner=WINNERS[row.choice],
        judge=row.voter,
        conversation_a=_conversation(row, "a"),
        conversation_b=_conversation(row, "b"),
        turn=len(row.earlier) + 1,
        tstamp=row.voted_at.timestamp(),
    )


def _conversation(row: Battle, side: Side) -> list[BattleMessageOut]:
    turns = [(one["prompt"], one[side]) for one in row.earlier]
    turns.append((row.prompt, row.answer(side) or ""))
    return [
        message
        for prompt, said in turns
        for message in (
            BattleMessageOut(role="user", content=prompt),
            BattleMessageOut(role="assistant", content=said),
        )
    ]


def _arena_view(row: Arena, counts: Counts, base: object) -> ArenaOut:
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
        url=f"{base}arena/{row.id}",
        created_at=row.created_at,
    )
