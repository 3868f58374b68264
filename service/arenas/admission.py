"""Arenas, battles and votes that are let in."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection

from service.arenas import store
from service.arenas.pairing import pair
from service.arenas.schemas import ArenaIn, BattleVoteIn
from service.arenas.store import Arena, Battle
from service.errors import ApiError, invalid, not_found
from service.jobs import queue
from service.models import registered
from service.models import store as models
from service.settings import Settings

MOST_TURNS = 20
LONGEST_BATTLE = 500_000  # characters of all prompts and answers

NEVER = {"x-should-retry": "false"}  # common clients retry 409
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
    """A battle of two models, which workers are asked for the answers of."""
    return _asked(db, store.begin(db, arena.id, prompt, pair(db, arena)))


def go_on(db: Connection, arena: Arena, id: str, prompt: str) -> Battle:
    """The battle at another turn, which workers are asked for the answers of. Raises 404, and 409
    where there is a vote, or nothing to go on from, 422 beyond what a battle may hold."""
    battle = store.find(db, id, arena=arena.id, lock=True)
    if battle is None:
        raise not_found("battle", id)
    if battle.status == "voted":
        message = "there is a vote on this battle: ask anew, POST …/battles"
        raise ApiError(409, "battle_voted", message, "battle", NEVER)
    _require_open(battle, "go on from")
    if len(battle.earlier) + 1 >= MOST_TURNS:
        message = f"the battle has {MOST_TURNS} turns, the most there may be: vote on it"
        raise ApiError(409, "too_many_turns", message, "battle", NEVER)
    length = battle.length + len(prompt)
    if length > LONGEST_BATTLE:
        message = (
            f"with this prompt the battle has {length} characters, over {LONGEST_BATTLE}, the "
        )
        raise invalid("battle_too_long", f"{message}most there may be: vote on it", "prompt")
    return _asked(db, store.go_on(db, battle, prompt))


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
            raise ApiError(409, "voted_already", message, "choice", NEVER)
        return battle
    _require_open(battle, "vote on")
    store.vote(db, battle.id, body.choice, voter)
    return store.find(db, id) or battle


def _asked(db: Connection, battle: Battle) -> Battle:
    """What waits for servers holds up nobody who computes."""
    for side in store.SIDES:
        behind_url = registered.find(db, battle.model(side)) is not None
        line = "ask" if behind_url else "now"
        queue.defer(db, "arena.answer", queue=line, battle=battle.id, side=side, turn=battle.turn)
    return battle


def _require_open(battle: Battle, wanted: str) -> None:
    if battle.status != "open":
        message = f"nothing to {wanted}: {NOT_OPEN[battle.status]}"
        raise ApiError(409, "battle_not_open", message, "battle", NEVER)


def _digest(arena: Arena, voter: str | None) -> str | None:
    """What a voter is kept as: the same in one arena, another in each."""
    return sha256(arena.salt + voter.encode()).hexdigest()[:32] if voter is not None else None
