"""Votes from elsewhere on the items of a project that is there.

They take slots that are free, so that no item has more votes than its overlap, unless that is
wanted. Their people have no links; those of one name are one person, also in several files.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from service.annotation import annotators_store, publishing, votes_store
from service.annotation.answers import agrees
from service.annotation.hashes import hashed
from service.annotation.items_store import new_slot
from service.annotation.store import Project
from service.vote_exchange import additions_store, vote_rows
from service.vote_exchange.casts import Answered, Casts
from service.vote_exchange.files import VoteFile
from service.vote_exchange.foreign_votes import OF_MODEL, ForeignVote, RowErrors
from service.vote_exchange.matching import Known, Matching, Miss, known
from service.vote_exchange.vote_rows import NewSlot, NewVote


@dataclass(frozen=True, slots=True)
class Added:
    """How many votes were stored, of how many people who are new; why others are left out."""

    votes: int
    people: int
    left_out: Counter[str]


@dataclass(frozen=True, slots=True)
class Seated:
    """A vote in its slot, which has a `number` unless it is for this person alone. `free`: the slot
    was there; `expected`: the right answer, of a repeat the first one."""

    of: Answered
    slot: str
    number: int | None
    free: bool
    expected: Mapping[str, Any] | None


def add(
    db: Connection, project: Project, file: VoteFile, digest: str, beyond_overlap: bool
) -> Added:
    """Store the file's votes; the same file again adds nothing. Raises 422 where no vote is on an
    item of the project, and for answers that its form does not have.

    digest  of the file: it tells unnamed people of several files apart
    """
    additions_store.lock(db, project.id)
    items = {one.id: one for one in known(db, project.id)}
    left_out: Counter[str] = Counter()
    casts = Casts(left_out, unnamed=f"unnamed {digest.removeprefix('sha256:')[:8]}")
    votes = [*_of_people(db, project, file.votes, left_out)]
    _match([*items.values()], votes, casts, left_out)
    answered = [*casts.checked(project.form, project.definition)]
    people = _people(db, project, {one.cast.person for one in answered})
    there = additions_store.taken(db, project.id)
    fresh = [one for one in answered if _key(one, people) not in there]
    left_out["already_there"] += len(answered) - len(fresh)
    numbered = [one for one in fresh if one.cast.kind in {"item", "control"}]
    seated = [*_numbered(db, project, numbered, items, beyond_overlap)]
    left_out["overlap"] += len(numbered) - len(seated)
    gold = [one for one in fresh if one.cast.kind == "gold"]
    seated += [_alone(one, items[one.cast.item].expected) for one in gold]
    repeats = [one for one in fresh if one.cast.kind == "repeat"]
    again = [*_repeats(db, repeats, seated, people)]
    left_out["without_first"] += len(repeats) - len(again)
    new = _stored(db, project, [*seated, *again], items, people)
    return Added(len(seated) + len(again), new, +left_out)


def _of_people(
    db: Connection, project: Project, votes: Iterable[ForeignVote], left_out: Counter[str]
) -> Iterator[ForeignVote]:
    """Without those of models, which say so or by their hashes are models of the project."""
    models = {hashed(project, one.id) for one in annotators_store.models(db, project.id)}
    for vote in votes:
        if vote.kind == OF_MODEL or vote.annotator in models:
            left_out["model"] += 1
        else:
            yield vote


def _match(
    items: Sequence[Known], votes: Sequence[ForeignVote], casts: Casts, left_out: Counter[str]
) -> None:
    """Gather the votes on items that there are. Raises 422 by row and field where there is none."""
    matching, errors, matched = Matching(items), RowErrors(), 0
    for vote in votes:
        if vote.kind == "undone":
            left_out["undone"] += 1
            continue
        found = matching.find(vote)
        if isinstance(found, Miss):
            left_out[found.reason] += 1
            if not errors.full:
                errors.add(vote.place, vote.place.column(found.field), found.said, found.reason)
        else:
            matched += 1
            kind = "repeat" if vote.kind == "repeat" else found.item.kind
            casts.add(found.item.id, kind, found.order, vote)
    if not matched:
        errors.check("nothing_matches")


def _people(db: Connection, project: Project, names: Collection[str]) -> dict[str, str]:
    """Ids by the names in the file, of those who are there: a hash is of whoever has it here, any
    other name of the person that a file had by it. Those with a link wait until this ends."""
    people = additions_store.people(db, project.id)
    hashes = {hashed(project, one.id): one.id for one in people}
    additions_store.lock_people(db, [id for hash, id in hashes.items() if hash in names])
    return {one.name: one.id for one in people if one.imported} | hashes


def _key(one: Answered, people: Mapping[str, str]) -> tuple[str, str, bool]:
    cast = one.cast
    return cast.item, people.get(cast.person, ""), cast.kind == "repeat"


def _numbered(
    db: Connection,
    project: Project,
    answered: Sequence[Answered],
    items: Mapping[str, Known],
    beyond_overlap: bool,
) -> Iterator[Seated]:
    """Votes in slots that are free; further ones if more votes than the overlap are wanted."""
    wanted = {one.cast.item for one in answered}
    free: dict[str, list[additions_store.Slot]] = defaultdict(list)
    for slot in additions_store.free(db, project.id, wanted):
        free[slot.item_id].append(slot)
    numbers = additions_store.numbers(db, wanted) if beyond_overlap else {}
    for one in answered:
        item = one.cast.item
        expected = items[item].expected
        if free[item]:
            slot = free[item].pop()
            yield Seated(one, slot.id, None, True, expected)
        elif beyond_overlap:
            number = numbers.get(item, 0)
            numbers[item] = number + 1
            yield Seated(one, new_slot(), number, False, expected)


def _alone(one: Answered, expected: Mapping[str, Any] | None) -> Seated:
    return Seated(one, new_slot(), None, False, expected)


def _repeats(
    db: Connection,
    repeats: Sequence[Answered],
    seated: Sequence[Seated],
    people: Mapping[str, str],
) -> Iterator[Seated]:
    """Repeats of what the person voted on first, here or in the file."""
    first = {(one.of.cast.item, one.of.cast.person): one.of.answer for one in seated}
    for one in repeats:
        item, person = one.cast.item, one.cast.person
        expected: Mapping[str, Any] | None = first.get((item, person))
        if expected is None and person in people:
            expected = votes_store.first_answer(db, people[person], item)
        if expected is not None:
            yield _alone(one, expected)


def _stored(
    db: Connection,
    project: Project,
    seated: Sequence[Seated],
    items: Mapping[str, Known],
    people: Mapping[str, str],
) -> int:
    """How many people are new."""
    if not seated:
        return 0
    names = {one.of.cast.person: None for one in seated if one.of.cast.person not in people}
    new = vote_rows.add_people(db, project.id, names)
    ids = {**people, **new}
    free = [one for one in seated if one.free]
    additions_store.take(db, [one.slot for one in free], [ids[one.of.cast.person] for one in free])
    slots = (_slot(one, items, ids) for one in seated if not one.free)
    vote_rows.add(db, project.id, slots, (_vote(one, ids) for one in seated))
    publishing.renew(db, project)
    return len(new)


def _slot(one: Seated, items: Mapping[str, Known], ids: Mapping[str, str]) -> NewSlot:
    cast = one.of.cast
    return NewSlot(
        id=one.slot,
        item=cast.item,
        position=items[cast.item].position,
        number=one.number,
        repeat=cast.kind == "repeat",
        person=ids[cast.person],
    )


def _vote(one: Seated, ids: Mapping[str, str]) -> NewVote:
    cast = one.of.cast
    return NewVote(
        slot=one.slot,
        item=cast.item,
        person=ids[cast.person],
        kind=cast.kind,
        answer=one.of.answer,
        shown=cast.shown,
        agrees=agrees(one.of.answer, one.expected),
        comment=cast.vote.comment,
        seconds=cast.vote.seconds,
    )
