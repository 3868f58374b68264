"""One annotator at work: an item is leased, voted on, skipped, or a vote is taken back.

Each function is one transaction, which holds the annotator's row: an annotator's requests come one
after another, and two tabs show the same item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from service.annotation import (
    annotators_store,
    course,
    informative,
    items_store,
    publishing,
    slots_store,
    votes_store,
)
from service.annotation.annotate_schemas import (
    ItemOut,
    LeaseOut,
    NextOut,
    SkipIn,
    VotedOut,
    VoteIn,
)
from service.annotation.annotators_store import Person
from service.annotation.answers import agrees, as_shown, differs, draw, of_vote, order
from service.annotation.course import REPEAT_AFTER, Left
from service.annotation.items_store import Item
from service.annotation.slots_store import Held, Slot
from service.annotation.store import Project
from service.annotation.tokens import refused
from service.annotation.views import item_view
from service.errors import ApiError, not_found


@dataclass(frozen=True, slots=True)
class Desk:
    """An annotator at a project, locked; `done`: votes that stand, `skipped`: items."""

    project: Project
    annotator: Person
    done: int
    skipped: int

    @property
    def closed(self) -> bool:
        """Whether no item is given out any more."""
        return self.project.closed_at is not None


def sit_down(db: Connection, token_digest: bytes) -> Desk:
    """Who has this token, until the transaction ends. Raises 401 where it is of nobody, was
    revoked, or has expired."""
    found = annotators_store.identify(db, token_digest)
    if found is None:
        raise refused("token_unknown", "this link is not valid; ask for a new one")
    project, annotator = found
    if annotator.revoked_at is not None:
        raise refused("token_revoked", "this link was ended; ask for a new one")
    if annotator.expired:
        message = f"this link ended on {annotator.expires_at:%Y-%m-%d}; ask for a new one"
        raise refused("token_expired", message)
    return Desk(project, annotator, *votes_store.count(db, annotator.id))


def next_item(db: Connection, desk: Desk) -> NextOut:
    """What the annotator holds already, its lease extended, or what comes next, now held."""
    slot = slots_store.held(db, desk.annotator.id)
    if slot is None:
        return answered(db, desk, _taken(db, desk))
    return answered(db, desk, slots_store.extend(db, desk.project, slot.id))


def answered(
    db: Connection, desk: Desk, slot: Held | None, previous: VoteIn | None = None
) -> NextOut:
    """The held item, and how far the annotator is."""
    more = remaining(db, desk, slot)
    return NextOut(
        item=_shown(db, desk, slot) if slot is not None else None,
        done=desk.done,
        remaining=more,
        completion_code=completion_code(desk, more),
        previous=previous,
    )


def remaining(db: Connection, desk: Desk, slot: Slot | None) -> int:
    """How many more items there are for the annotator, what is held among them."""
    held = 1 if slot is not None else 0
    wanted = max(desk.project.per_annotator - desk.done, held) - held
    if desk.closed or not wanted:
        return held
    more = slots_store.count_open(db, desk.project.id, desk.annotator.id, wanted)
    if 0 < more < wanted:
        at = desk.done + desk.skipped + held
        left = _left(db, desk, slot, more)
        more = course.length(desk.project, desk.annotator.id, at, left, wanted)
    return held + more


def _left(db: Connection, desk: Desk, slot: Slot | None, count: int) -> Left:
    """What there is for the annotator once the slot is voted on; `count`: of open items."""
    project, annotator = desk.project, desk.annotator.id
    judged = 0
    if project.definition["repeats"]:
        judged = len(slots_store.repeatable(db, annotator, 0))
        if slot is not None and not slot.repeat:
            judged += items_store.require(db, slot.item_id).kind == "item"
    return Left(
        slots_store.open_kinds(db, project.id, annotator, count),
        len(items_store.unseen_gold(db, project.id, annotator)),
        judged,
    )


def completion_code(desk: Desk, more: int) -> str | None:
    """What proves that the annotator is done; None while there is more, or nothing was done."""
    return desk.project.completion_code if desk.done and not more else None


def extend(db: Connection, desk: Desk, id: str) -> LeaseOut:
    """Keep the item that is out for longer."""
    slot = _held(db, desk, id)
    held = slots_store.extend(db, desk.project, slot.id)
    return LeaseOut(item=held.id, lease_until=held.lease_until)


def vote(db: Connection, desk: Desk, given: VoteIn) -> VotedOut:
    """Store a vote on what the annotator holds; the same vote again changes nothing.

    Raises 404 for an item of another project, 409 for one that the annotator does not hold or has
    voted on otherwise, 422 for an answer of another form.
    """
    slot = slots_store.find(db, desk.project.id, given.item)
    if slot is None:
        raise not_found("item", given.item)
    item = items_store.require(db, slot.item_id)
    shown = _order(desk, slot, item)
    answer = of_vote(desk.project.form, desk.project.definition, given, shown)
    before = votes_store.of_slot(db, slot.id)
    if before is not None and before.annotator_id == desk.annotator.id:
        if dict(before.answer) != answer or before.comment != given.comment:
            raise differs(slot.id)
        return _voted(db, desk, slot)
    _check_held(desk, slot)
    votes_store.add(
        db,
        project=desk.project.id,
        item=item.id,
        slot=slot.id,
        annotator=desk.annotator.id,
        kind="repeat" if slot.repeat else item.kind,
        answer=answer,
        shown=shown,
        agrees=agrees(answer, _expected(db, desk, slot, item)),
        comment=given.comment,
        seconds=given.seconds,
    )
    slots_store.vote(db, slot.id)
    if desk.closed:  # a late one: the scores were published without it
        publishing.later(db, desk.project)
    return _voted(db, replace(desk, done=desk.done + 1), slot)


def undo(db: Connection, desk: Desk) -> NextOut:
    """Take the last vote back: its item is out again, in place of what was. Raises 409 where there
    is no vote, or nothing may be changed any more."""
    last = votes_store.last(db, desk.annotator.id)
    if last is None or last.slot_id is None:
        raise ApiError(409, "nothing_to_undo", "there is no vote of yours to take back")
    if desk.closed:
        raise ApiError(409, "project_closed", "the project is closed: votes stay as they are")
    held = slots_store.held(db, desk.annotator.id)
    if held is not None:
        slots_store.release(db, held)
    votes_store.undo(db, last.id)
    slot = slots_store.extend(db, desk.project, last.slot_id)
    answer = as_shown(last.answer, last.shown)
    previous = VoteIn(item=slot.id, comment=last.comment, seconds=last.seconds, **answer)
    return answered(db, replace(desk, done=desk.done - 1), slot, previous)


def skip(db: Connection, desk: Desk, given: SkipIn) -> NextOut:
    """Give the item back, for somebody else, and take the next one."""
    slot = _held(db, desk, given.item)
    slots_store.skip(db, slot, desk.annotator.id, given.reason)
    desk = replace(desk, skipped=desk.skipped + 1)
    return answered(db, desk, _taken(db, desk))


def _taken(db: Connection, desk: Desk) -> Held | None:
    """What comes next: a gold question or a repeat at their rates, else the first item that is
    free. None where the annotator has done enough, or nothing is left."""
    project, annotator = desk.project, desk.annotator.id
    if desk.closed or desk.done >= project.per_annotator:
        return None
    at = desk.done + desk.skipped
    what = course.turn(project, annotator, at)
    others: list[str] = []
    if what == "gold":
        others = items_store.unseen_gold(db, project.id, annotator)
    elif what == "repeat":
        others = slots_store.repeatable(db, annotator, REPEAT_AFTER)
    if others and slots_store.count_open(db, project.id, annotator, 1):
        item = draw(project.seed, annotator, at).choice(others)
        return slots_store.make(db, project, annotator, item, repeat=what == "repeat")
    if project.definition["items"] != "most_informative":
        return slots_store.take(db, project, annotator)
    taken = (
        slots_store.take(db, project, annotator, pair) for pair in informative.pairs(db, project)
    )
    return next((slot for slot in taken if slot is not None), None)


def _shown(db: Connection, desk: Desk, slot: Held) -> ItemOut:
    item = items_store.require(db, slot.item_id)
    return item_view(desk.project, item, slot, _order(desk, slot, item))


def _order(desk: Desk, slot: Slot, item: Item) -> list[int]:
    return order(desk.project.seed, desk.annotator.id, slot.id, len(item.outputs))


def _expected(db: Connection, desk: Desk, slot: Slot, item: Item) -> Mapping[str, object] | None:
    if slot.repeat:
        return votes_store.first_answer(db, desk.annotator.id, item.id)
    return item.expected


def _held(db: Connection, desk: Desk, id: str) -> Slot:
    slot = slots_store.find(db, desk.project.id, id)
    if slot is None:
        raise not_found("item", id)
    _check_held(desk, slot)
    return slot


def _check_held(desk: Desk, slot: Slot) -> None:
    """Raises 409 where the slot is not held by the annotator, with the reason."""
    mine = slot.annotator_id == desk.annotator.id
    if mine and slot.status == "held":
        return
    if slot.lost_by == desk.annotator.id:
        message = "your time for this item was over, and it was given to somebody else"
        raise ApiError(409, "lease_lost", f"{message}: go on with the next", "item")
    if mine and slot.status == "voted":
        raise ApiError(409, "voted_already", "you have voted on this item", "item")
    raise ApiError(409, "not_held", "you do not have this item: ask for the next", "item")


def _voted(db: Connection, desk: Desk, slot: Slot) -> VotedOut:
    return VotedOut(item=slot.id, done=desk.done, remaining=remaining(db, desk, None))
