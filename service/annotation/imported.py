"""Projects made of logs of votes: closed, with the systems, items and votes that the log has."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text

from service.annotation import items_store, store
from service.annotation.battles import Battle
from service.annotation.items_store import Made
from service.annotation.schemas import AnnotationProjectIn
from service.annotation.tokens import digest, new_token
from service.db.annotation_tables import annotation_slots, annotation_votes, annotators
from service.db.bulk import copy
from service.db.identifiers import new
from service.errors import invalid

TURNED = {"a": "b", "b": "a", "tie": "tie"}
ANNOTATOR = ("id", "project_id", "name", "token_digest", "expires_at", "revoked_at")
SLOT = ("id", "project_id", "item_id", "position", "number", "status", "annotator_id")
VOTE = (
    *("id", "project_id", "item_id", "slot_id", "annotator_id", "kind", "answer", "shown"),
    "comment",
)


@dataclass(slots=True)
class Item:
    """Two outputs in the order of their systems' names, and the votes on them, by who voted."""

    made: Made
    votes: dict[str, Battle] = field(default_factory=dict)


def find(db: Connection, digest: str) -> str | None:
    """The project that was made of the same log in the same way."""
    query = text(
        "SELECT id FROM annotation_projects WHERE definition->'imported'->>'digest' = :digest"
    )
    found: str | None = db.scalar(query, {"digest": digest})
    return found


def make(db: Connection, name: str, battles: Sequence[Battle], about: Mapping[str, Any]) -> str:
    """The id of the project with these votes. Raises 422 where none is left.

    about  the log: what is kept of it in the definition
    """
    left_out: Counter[str] = Counter()
    items = _items(battles, left_out)
    if not items:
        said = ", ".join(f"{count} {why}" for why, count in left_out.items()) or "no rows"
        raise invalid("nothing_to_judge", f"the log has no vote on two systems: {said}")
    made = AnnotationProjectIn.model_construct(name=name, evaluations=[], form="pairwise")
    systems = sorted({system for one in items for system in one.made.systems})
    overlap = max(len(one.votes) for one in items)
    project = store.create(
        db,
        name=name,
        form="pairwise",
        definition=made.model_dump(mode="json", exclude={"gold", "seed"}) | {"imported": about},
        systems=[{"system": system} for system in systems],
        left_out=left_out,
        seed=secrets.randbits(48),
        overlap=overlap,
        per_annotator=made.per_annotator,
        lease_minutes=made.lease_minutes,
    )
    _store(db, project, items)
    store.close(db, project)
    return project


def _items(battles: Sequence[Battle], left_out: Counter[str]) -> list[Item]:
    """Votes on the same two outputs are of one item. Who is not named is somebody else each time
    (unnamed votes would else be one person's)."""
    items: dict[tuple[object, ...], Item] = {}
    for row, one in enumerate(battles, 1):
        if one.model_a == one.model_b:
            left_out["same_system"] += 1
            continue
        sides = [(one.model_a, one.output_a), (one.model_b, one.output_b)]
        (first, a), (second, b) = sorted(sides)
        texts = one.prompt or a or b
        key = (one.prompt, a, b) if texts else (one.question or row,)
        made = Made(
            kind="item",
            prompt=one.prompt,
            outputs=[a, b],
            systems=[first, second],
            sample=one.question,
        )
        item = items.setdefault((first, second, *key), Item(made))
        if one.annotator in item.votes:
            left_out["voted_again"] += 1
            continue
        item.votes[one.annotator or f"unnamed, row {row}"] = one
    return list(items.values())


def _store(db: Connection, project: str, items: Sequence[Item]) -> None:
    ids = items_store.add(db, project, [one.made for one in items], overlap=0)
    names = dict.fromkeys(name for one in items for name in one.votes)
    people = {name: new("annotator") for name in names}
    now = datetime.now(UTC)
    copy(  # their links have ended: nobody has a token of these
        db,
        annotators,
        ANNOTATOR,
        ((id, project, name, digest(new_token()), now, now) for name, id in people.items()),
    )
    votes = [
        (items_store.new_slot(), item, place, number, people[name], vote)
        for place, (item, one) in enumerate(zip(ids, items, strict=True))
        for number, (name, vote) in enumerate(one.votes.items())
    ]
    copy(
        db,
        annotation_slots,
        SLOT,
        (
            (slot, project, item, place, number, "voted", person)
            for slot, item, place, number, person, _ in votes
        ),
    )
    copy(
        db,
        annotation_votes,
        VOTE,
        (
            (new("vote"), project, item, slot, person, "item", *_answer(items[place].made, vote))
            for slot, item, place, _, person, vote in votes
        ),
    )


def _answer(made: Made, vote: Battle) -> tuple[Jsonb, list[int], str | None]:
    """In the item's order; which of its outputs stood first; the comment."""
    turned = vote.model_a != made.systems[0]
    choice = TURNED[vote.winner] if turned else vote.winner
    return Jsonb({"choice": choice}), [1, 0] if turned else [0, 1], vote.comment
