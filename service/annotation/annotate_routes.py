"""/v1/annotate: what an annotator may do, with the token of their link as `Bearer`."""

from __future__ import annotations

from sqlalchemy import Connection

from service.annotation import annotating, slots_store
from service.annotation.annotate_schemas import (
    AnnotationTaskOut,
    HeldIn,
    LeaseOut,
    NextOut,
    SkipIn,
    VotedOut,
    VoteIn,
)
from service.annotation.annotating import sit_down
from service.annotation.instructions import instructions
from service.annotation.tokens import TokenDigest
from service.annotation.views import criteria
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate
from service.http.router import Router

router = Router(prefix="/v1/annotate", tags=["annotate"], route_class=BodyRoute)


@router.get("/project", summary="What to do, and how far it is")
async def get_annotation_task(gate: CurrentGate, token: TokenDigest) -> AnnotationTaskOut:
    """The instructions are Markdown. Nothing is leased."""
    return await gate.run(lambda db: _task(db, token))


@router.post("/next", summary="The next item")
async def next_item(gate: CurrentGate, token: TokenDigest) -> NextOut:
    """An item that is out stays the same, for two tabs as for a page that was closed, and its lease
    is extended. No item and something `remaining`: others have it just now, ask again."""
    return await gate.run(lambda db: annotating.next_item(db, sit_down(db, token)))


@router.post("/extend", summary="Keep an item for longer")
async def extend_lease(body: HeldIn, gate: CurrentGate, token: TokenDigest) -> LeaseOut:
    """For pages that are open: others get the item once its lease has ended."""
    return await gate.run(lambda db: annotating.extend(db, sit_down(db, token), body.item))


@router.post("/votes", summary="Vote on an item")
async def vote(body: VoteIn, gate: CurrentGate, token: TokenDigest) -> VotedOut:
    """The same vote again changes nothing, so a vote may be sent until it is answered. After its
    lease it counts, too, unless the item was given to somebody else (409)."""
    return await gate.run(lambda db: annotating.vote(db, sit_down(db, token), body))


@router.post("/undo", summary="Take the last vote back")
async def undo_vote(gate: CurrentGate, token: TokenDigest) -> NextOut:
    """Its item is out again, with the answer as `previous`; the item that was out goes back."""
    return await gate.run(lambda db: annotating.undo(db, sit_down(db, token)))


@router.post("/skip", summary="Skip an item")
async def skip_item(body: SkipIn, gate: CurrentGate, token: TokenDigest) -> NextOut:
    """Somebody else gets it, you never again; answers with the next one."""
    return await gate.run(lambda db: annotating.skip(db, sit_down(db, token), body))


def _task(db: Connection, token: bytes) -> AnnotationTaskOut:
    desk = sit_down(db, token)
    definition = desk.project.definition
    more = annotating.remaining(db, desk, slots_store.held(db, desk.annotator.id))
    return AnnotationTaskOut(
        name=desk.project.name,
        form=definition["form"],
        language=definition["language"],
        instructions=instructions(definition),
        criteria=criteria(desk.project),
        labels=definition["labels"],
        ties=definition["ties"],
        closed=desk.closed,
        done=desk.done,
        remaining=more,
        completion_code=annotating.completion_code(desk, more),
        expires_at=desk.annotator.expires_at,
    )
