"""/v1/arenas: whoever asks gets two answers, and votes without knowing whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Header, Query, Response
from sqlalchemy import Connection

from service.arenas import admission, boards, store
from service.arenas.schemas import (
    ArenaBoardOut,
    ArenaIn,
    ArenaOut,
    BattleIn,
    BattleOut,
    BattleVoteIn,
    DeletedArenaOut,
)
from service.arenas.store import Arena, Battle
from service.arenas.views import arena_views, battle_view
from service.errors import ApiError, not_found
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Idempotent, Transaction
from service.http.fields import Limit, Page, page
from service.http.idempotency import Created
from service.http.router import Router
from service.http.waiting import preferred_wait, until

router = Router(prefix="/v1/arenas", tags=["arenas"], route_class=BodyRoute)

Order = Literal["asc", "desc"]

DEFAULT_WAIT = 120.0  # seconds


@router.post("", status_code=201, summary="Have models answer people, two at a time")
def create_arena(
    body: ArenaIn,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> ArenaOut:
    """Models behind URLs, folders, checkpoints. Then each `POST /v1/arenas/{id}/battles` asks two
    of them."""

    def create(db: Connection) -> Created[ArenaOut]:
        return Created(_view(db, _arena(db, admission.admit(db, settings, body))), 201)

    return key.once(db, ArenaOut, create).sent(response)


@router.get("", summary="List arenas")
def list_arenas(
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
) -> Page[ArenaOut]:
    """Newest first."""
    rows = store.page(db, after=after, limit=limit + 1, descending=order == "desc")
    return page(arena_views(db, rows), limit)


@router.get("/{arena}", summary="One arena")
def get_arena(arena: str, db: Transaction) -> ArenaOut:
    """With what voters should know, and how many battles and votes there are."""
    return _view(db, _arena(db, arena))


@router.delete("/{arena}", summary="Delete an arena")
def delete_arena(arena: str, db: Transaction) -> DeletedArenaOut:
    """With its battles and votes. The models stay."""
    if not store.remove(db, arena):
        raise not_found("arena", arena)
    return DeletedArenaOut(id=arena)


@router.get("/{arena}/board", summary="An arena's board")
def get_arena_board(arena: str, db: Transaction) -> ArenaBoardOut:
    """Strengths by all votes so far, with intervals over voters and prompts, win rates, and ranks
    where votes connect all models."""
    return boards.board(db, _arena(db, arena))


@router.post("/{arena}/battles", status_code=201, summary="Ask two models")
async def create_battle(
    arena: str,
    body: BattleIn,
    gate: CurrentGate,
    key: Idempotent,
    prefer: Annotated[str | None, Header()] = None,
) -> BattleOut:
    """Two answers, `a` and `b`, of the two models whose order is least known; vote on them next.
    Where a model gives none, that is the answer, and no battle is counted. What takes longer than
    `Prefer: wait` (120 seconds) is a 503 that names the battle, which goes on."""

    def create(db: Connection) -> Created[BattleOut]:
        return Created(battle_view(admission.fight(db, _arena(db, arena), body.prompt)), 201)

    begun = (await gate.run(lambda db: key.once(db, BattleOut, create))).content
    wait = preferred_wait(prefer) or DEFAULT_WAIT
    done = await until(gate, begun.id, lambda db: _battle(db, begun).status != "running", wait)
    battle = await gate.run(lambda db: _battle(db, begun))
    if battle.error is not None:
        raise _no_battle(battle.error)
    if not done:
        message = f"no worker answered within {wait:.0f} s; see /readyz for the queue, and later "
        raise ApiError(503, "timed_out", f"{message}GET /v1/arenas/{arena}/battles/{battle.id}")
    return battle_view(battle)


@router.get("/{arena}/battles/{battle}", summary="One battle")
def get_battle(arena: str, battle: str, db: Transaction) -> BattleOut:
    """Its answers once both are there; whose they are, once there is a vote."""
    found = store.find(db, battle, arena=_arena(db, arena).id)
    if found is None:
        raise not_found("battle", battle)
    return battle_view(found)


@router.post("/{arena}/battles/{battle}/vote", summary="Vote on a battle")
def vote_on_battle(arena: str, battle: str, body: BattleVoteIn, db: Transaction) -> BattleOut:
    """Once; the same vote again changes nothing, another one is a 409. The answer tells whose
    answers they were."""
    return battle_view(admission.vote(db, _arena(db, arena), battle, body))


def _arena(db: Connection, id: str) -> Arena:
    found = store.get(db, id)
    if found is None:
        raise not_found("arena", id)
    return found


def _battle(db: Connection, begun: BattleOut) -> Battle:
    """A battle that was begun; 404 where its arena is gone by now."""
    found = store.find(db, begun.id)
    if found is None:
        raise not_found("battle", begun.id)
    return found


def _no_battle(error: Mapping[str, Any]) -> ApiError:
    """What a model said in place of an answer; with the same key it would be said again."""
    headers = {"x-should-retry": "false"}
    return ApiError(error["status"], error["code"], error["message"], headers=headers)


def _view(db: Connection, arena: Arena) -> ArenaOut:
    return arena_views(db, [arena])[0]
