"""Imported votes as rows: their people, who have no link, the slots that they take, themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from service.annotation.tokens import digest, new_token
from service.db.annotation_tables import annotation_slots, annotation_votes, annotators
from service.db.bulk import copy
from service.db.identifiers import new

ANNOTATOR = (
    *("id", "project_id", "name", "token_digest"),
    *("expires_at", "revoked_at", "imported"),
)
SLOT = ("id", "project_id", "item_id", "position", "number", "repeat", "status", "annotator_id")
VOTE = (
    *("id", "project_id", "item_id", "slot_id", "annotator_id", "kind", "answer", "shown"),
    *("agrees", "comment", "seconds", "imported"),
)


@dataclass(frozen=True, slots=True)
class NewSlot:
    """A slot that is made for a vote; `number`: None of gold questions and repeats."""

    id: str
    item: str
    position: int
    number: int | None
    repeat: bool
    person: str


@dataclass(frozen=True, slots=True)
class NewVote:
    """A vote in its slot, in the order of its item."""

    slot: str
    item: str
    person: str
    kind: str
    answer: Mapping[str, Any]
    shown: Sequence[int]
    agrees: bool | None
    comment: str | None
    seconds: float | None


def add_people(db: Connection, project: str, names: Iterable[str]) -> dict[str, str]:
    """Ids by name. Their links have ended: nobody has a token of these."""
    people = {name: new("annotator") for name in dict.fromkeys(names)}
    now = datetime.now(UTC)
    copy(
        db,
        annotators,
        ANNOTATOR,
        ((id, project, name, digest(new_token()), now, now, True) for name, id in people.items()),
    )
    return people


def add(db: Connection, project: str, slots: Iterable[NewSlot], votes: Iterable[NewVote]) -> None:
    """Store slots and votes."""
    copy(
        db,
        annotation_slots,
        SLOT,
        (
            (one.id, project, one.item, one.position, one.number, one.repeat, "voted", one.person)
            for one in slots
        ),
    )
    copy(
        db,
        annotation_votes,
        VOTE,
        (
            (
                *(new("vote"), project, one.item, one.slot, one.person, one.kind),
                *(Jsonb(dict(one.answer)), list(one.shown), one.agrees, one.comment, one.seconds),
                True,
            )
            for one in votes
        ),
    )
