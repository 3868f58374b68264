"""Projects made of votes from elsewhere: closed, with the systems, items and votes of a file."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from service.annotation import items_store, store
from service.annotation.items_store import Made
from service.errors import invalid
from service.vote_exchange import scales, vote_rows
from service.vote_exchange.casts import Answered, Casts
from service.vote_exchange.files import VoteFile
from service.vote_exchange.foreign_votes import ForeignVote
from service.vote_exchange.scales import Given
from service.vote_exchange.vote_rows import NewSlot, NewVote


def find(db: Connection, digest: str) -> str | None:
    """The project that was made of the same file in the same way."""
    query = text(
        "SELECT id FROM annotation_projects WHERE definition->'imported'->>'digest' = :digest"
    )
    found: str | None = db.scalar(query, {"digest": digest})
    return found


def make(db: Connection, name: str, file: VoteFile, said: Given, about: Mapping[str, Any]) -> str:
    """The id of the project with these votes. Raises 422 where none is left, and for answers that
    the criteria or labels do not have.

    about  the file: what is kept of it in the definition
    """
    left_out: Counter[str] = Counter()
    casts = Casts(left_out)
    made = _items(file.votes, casts, left_out)
    if not made:
        raise _nothing(left_out)
    sizes = Counter(len(one.systems) for one in made.values())
    definition = scales.definition(name, file.form, casts, sizes, said)
    by_item: dict[str, list[Answered]] = {}
    for one in casts.checked(file.form, definition):
        by_item.setdefault(one.cast.item, []).append(one)
    if not by_item:
        raise _nothing(left_out)
    items = [made[key] for key in by_item]
    project = store.create(
        db,
        name=name,
        form=file.form,
        definition=definition | {"imported": about},
        systems=[
            {"system": one} for one in sorted({name for one in items for name in one.systems})
        ],
        left_out=left_out,
        seed=secrets.randbits(48),
        overlap=max(map(len, by_item.values())),
        per_annotator=definition["per_annotator"],
        lease_minutes=definition["lease_minutes"],
    )
    _store(db, project, items, [*by_item.values()])
    store.close(db, project)
    return project


def _nothing(left_out: Counter[str]) -> Exception:
    said = ", ".join(f"{count} {why}" for why, count in left_out.items()) or "no rows"
    return invalid("nothing_to_judge", f"the file has no vote to import: {said}")


def _items(votes: Sequence[ForeignVote], casts: Casts, left_out: Counter[str]) -> dict[str, Made]:
    """Items by their keys: votes on the same outputs are of one."""
    made: dict[str, Made] = {}
    for vote in votes:
        systems = [vote.systems] if isinstance(vote.systems, str) else vote.systems
        reason = _unfit(vote, systems)
        if reason is not None:
            left_out[reason] += 1
            continue
        outputs = vote.outputs or [""] * len(systems)
        sides = sorted(range(len(systems)), key=lambda place: (systems[place], outputs[place]))
        item = Made(
            kind="item",
            prompt=vote.prompt,
            outputs=[outputs[place] for place in sides],
            systems=[systems[place] for place in sides],
            sample=vote.question or _sample(vote.prompt),
        )
        texts = [vote.prompt, *item.outputs]
        what = texts if any(texts) else [vote.question or vote.place.index]
        key = hashlib.sha256(repr([item.systems, what]).encode(errors="replace")).hexdigest()
        made.setdefault(key, item)
        casts.add(key, "item", [sides.index(place) for place in range(len(systems))], vote)
    return made


def _unfit(vote: ForeignVote, systems: Sequence[str]) -> str | None:
    """Why it cannot be imported by itself."""
    if vote.kind != "item":
        return vote.kind
    if not systems or isinstance(vote.systems, str):
        return "without_systems"
    if vote.outputs is not None and len(vote.outputs) != len(systems):
        return "other_count"
    return "same_system" if len({*systems}) < len(systems) else None


def _sample(prompt: str | None) -> str | None:
    """What is called a sample that has no name: the same prompt is the same one."""
    if not prompt:
        return None
    return f"prompt-{hashlib.sha256(prompt.encode(errors='replace')).hexdigest()[:12]}"


def _store(
    db: Connection, project: str, items: Sequence[Made], answered: Sequence[Sequence[Answered]]
) -> None:
    ids = items_store.add(db, project, items, overlap=0)
    names = (one.cast.person for votes in answered for one in votes)
    people = vote_rows.add_people(db, project, names)
    slots, votes = [], []
    for position, (id, of_item) in enumerate(zip(ids, answered, strict=True)):
        for number, one in enumerate(of_item):
            cast, slot, person = one.cast, items_store.new_slot(), people[one.cast.person]
            slots.append(NewSlot(slot, id, position, number, repeat=False, person=person))
            votes.append(
                NewVote(
                    slot=slot,
                    item=id,
                    person=person,
                    kind="item",
                    answer=one.answer,
                    shown=cast.shown,
                    agrees=None,
                    comment=cast.vote.comment,
                    seconds=cast.vote.seconds,
                )
            )
    vote_rows.add(db, project, slots, votes)
