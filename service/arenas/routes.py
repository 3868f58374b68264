"""/v1/arenas: whoever asks gets two answers, and votes without knowing whose they are."""

from __future__ import annotations

from itertools import chain
from typing import Annotated, Literal

from fastapi import Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from service.arenas import admission, boards, exports, store
from service.arenas.schemas import (
    ArenaBoardOut,
    ArenaIn,
    ArenaOut,
    ArenaVoteOut,
    BattleIn,
    BattleOut,
    BattleVoteIn,
    DeletedArenaOut,
)
from service.arenas.store import Arena, Battle
from service.arenas.views import arena_views, battle_view, fault, vote_view
from service.errors import ApiError, not_found
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Idempotent, Transaction
from service.http.fields import Limit, Page, page
from service.http.gate import Gate
from service.http.idempotency import Created
from service.http.router import Router
from service.http.waiting import preferred_wait, until

router = Router(prefix="/v1/arenas", tags=["arenas"], route_class=BodyRoute)

Order = Literal["asc", "desc"]

DEFAULT_WAIT = 120.0  # seconds
DEFAULT_LIMIT = 100  # votes on a page


@router.post("", status_code=201, summary="Have models answer people, two at a time")
def create_arena(
    body: ArenaIn,
    request: Request,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> ArenaOut:
    """Models behind URLs, folders, checkpoints. Then each `POST /v1/arenas/{id}/battles` asks two
    of them. People do so on the page at `url`."""

    def create(db: Connection) -> Created[ArenaOut]:
        made = _arena(db, admission.admit(db, settings, body))
        return Created(arena_views(db, [made], request.base_url)[0], 201)

    return key.once(db, ArenaOut, create).sent(response)


@router.get("", summary="List arenas")
def list_arenas(
    request: Request,
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
) -> Page[ArenaOut]:
    """Newest first."""
    rows = store.page(db, after=after, limit=limit + 1, descending=order == "desc")
    return page(arena_views(db, rows, request.base_url), limit)


@router.get("/{arena}", summary="One arena")
def get_arena(arena: str, request: Request, db: Transaction) -> ArenaOut:
    """With what voters should know, and how many battles and votes there are."""
    return arena_views(db, [_arena(db, arena)], request.base_url)[0]


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


@router.get(
    "/{arena}/votes",
    summary="All votes of an arena",
    response_model=Page[ArenaVoteOut],
    responses=exports.FILES,
)
def list_arena_votes(
    arena: str,
    gate: CurrentGate,
    format: Literal["json", "jsonl", "csv", "parquet"] = "json",
    after: str | None = None,
    limit: Annotated[Limit | None, Query(description="default: 100 of json, else all")] = None,
) -> Page[ArenaVoteOut] | StreamingResponse:
    """Oldest first, with what was said, as LMArena's logs have them; voters by hashes. A file
    (`format`) is streamed, and `POST /v1/annotation_projects/imports` reads it."""
    if format == "json":
        most = limit or DEFAULT_LIMIT
        with gate.transaction() as db:
            rows = store.voted(db, _arena(db, arena).id, after=after, limit=most + 1)
        return page([vote_view(row) for row in rows], most)
    batches = exports.batches(gate, arena, after, limit)
    first = next(batches)  # what is refused is refused before a file begins
    written = exports.FORMATS[format]
    headers = {"content-disposition": f'attachment; filename="{arena}.{format}"'}
    content = written.write(chain([first], batches))
    return StreamingResponse(content, media_type=written.media, headers=headers)


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
    return await _answered(gate, begun, prefer)


@router.post("/{arena}/battles/{battle}/turns", status_code=201, summary="Go on with a battle")
async def create_turn(
    arena: str,
    battle: str,
    body: BattleIn,
    gate: CurrentGate,
    key: Idempotent,
    prefer: Annotated[str | None, Header()] = None,
) -> BattleOut:
    """Before the vote, ask both models again; each sees its own answers so far. Where one gives
    none, that is the answer, and the battle is as it was before. Up to 20 turns and 500,000
    characters. It waits as `POST …/battles` does."""

    def create(db: Connection) -> Created[BattleOut]:
        row = admission.go_on(db, _arena(db, arena), battle, body.prompt)
        return Created(battle_view(row), 201)

    begun = (await gate.run(lambda db: key.once(db, BattleOut, create))).content
    return await _answered(gate, begun, prefer)


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


async def _answered(gate: Gate, begun: BattleOut, prefer: str | None) -> BattleOut:
    """The battle with both answers. Raises what a model said in place of one, and 503 late."""

    def is_over(db: Connection) -> bool:
        row = _battle(db, begun)
        return row.status != "running" or row.turn != begun.turn

    wait = preferred_wait(prefer) or DEFAULT_WAIT
    done = await until(gate, begun.id, is_over, wait)
    battle = await gate.run(lambda db: _battle(db, begun))
    error = fault(battle) if battle.turn == begun.turn else None
    if error is not None:  # with the same key it would be said again
        raise ApiError(error["status"], error["code"], error["message"], headers=admission.NEVER)
    if not done:
        place = f"/v1/arenas/{begun.arena}/battles/{begun.id}"
        message = f"no worker answered within {wait:.0f} s; see /readyz for the queue, and later "
        raise ApiError(503, "timed_out", f"{message}GET {place}")
    return battle_view(battle)


def _battle(db: Connection, begun: BattleOut) -> Battle:
    """A battle that was begun; 404 where its arena is gone by now."""
    found = store.find(db, begun.id)
    if found is None:
        raise not_found("battle", begun.id)
    return found
