"""Arenas, battles and votes that are let in."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection

from service.arenas import store
from service.arenas.pairing import pair
from service.arenas.schemas import ArenaIn, BattleVoteIn
from service.arenas.store import Arena, Battle
from service.errors import ApiError, not_found
from service.jobs import queue
from service.models import registered
from service.models import store as models
from service.settings import Settings

NOT_OPEN = {
    "running": "a model has still to answer: wait for the battle, GET …/battles/{id}",
    "failed": "a model gave no answer: ask again, POST …/battles",
}


def admit(db: Connection, settings: Settings, body: ArenaIn) -> str:
    """The id of a new arena. Raises 422 for a model that cannot be chatted with."""
    for at, name in enumerate(body.models):
        models.require(db, settings, name, f"models[{at}]", "chat")
    return store.create(db, body.model_dump())


def fight(db: Connection, arena: Arena, prompt: str) -> Battle:
    """A battle of two models, which workers are asked for the answers of. What waits for servers
    holds up nobody who computes."""
    battle = store.begin(db, arena.id, prompt, pair(db, arena))
    for side in store.SIDES:
        behind_url = registered.find(db, battle.model(side)) is not None
        line = "ask" if behind_url else "now"
        queue.defer(db, "arena.answer", queue=line, battle=battle.id, side=side)
    return battle


def vote(db: Connection, arena: Arena, id: str, body: BattleVoteIn) -> Battle:
    """The battle with its vote; the same one again changes nothing. Raises 404, and 409 where there
    is another vote, or nothing to vote on."""
    battle = store.find(db, id, arena=arena.id, lock=True)
    if battle is None:
        raise not_found("battle", id)
    voter = _digest(arena, body.voter)
    if battle.status == "voted":
        if (battle.choice, battle.voter) != (body.choice, voter):
            message = "there is another vote on this battle, and a vote is final"
            raise ApiError(409, "voted_already", message, "choice", {"x-should-retry": "false"})
        return battle
    if battle.status != "open":
        message = f"nothing to vote on: {NOT_OPEN[battle.status]}"
        raise ApiError(409, "battle_not_open", message, "battle", {"x-should-retry": "false"})
    store.vote(db, battle.id, body.choice, voter)
    return store.find(db, id) or battle


def _digest(arena: Arena, voter: str | None) -> str | None:
    """What a voter is kept as: the same in one arena, another in each."""
    return sha256(arena.salt + voter.encode()).hexdigest()[:32] if voter is not None else None
