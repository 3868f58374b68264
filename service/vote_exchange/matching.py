"""Which item of a project a vote from elsewhere is on: by its id, by sample and systems, or by the
texts that were judged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text

from service.db.annotation_tables import annotation_items
from service.db.stored import Stored
from service.vote_exchange.foreign_votes import ForeignVote

JOINED = "; "  # between systems, as CSV has them


@dataclass(frozen=True, slots=True)
class Known(Stored):
    """An item; of its texts there are digests."""

    id: str
    position: int
    kind: str
    dataset_id: str | None
    sample: str | None
    systems: list[str]
    expected: dict[str, Any] | None
    prompt_digest: str
    digests: list[str]


@dataclass(frozen=True, slots=True)
class Match:
    """The item; `order`: places in it of the row's outputs."""

    item: Known
    order: Sequence[int]


@dataclass(frozen=True, slots=True)
class Miss:
    """Why there is no item, in a word, and which field of the vote says so."""

    reason: str
    field: str
    said: str


def known(db: Connection, project: str) -> list[Known]:
    """The project's items, in their order."""
    items = annotation_items.c
    digests = text(
        "ARRAY(SELECT encode(sha256(convert_to(o.t, 'UTF8')), 'hex') FROM "
        "unnest(annotation_items.outputs) WITH ORDINALITY o(t, n) ORDER BY o.n) AS digests"
    )
    prompt = func.encode(
        func.sha256(func.convert_to(func.coalesce(items.prompt, ""), "UTF8")), "hex"
    )
    query = (
        select(
            *(items.id, items.position, items.kind, items.dataset_id, items.sample, items.systems),
            items.expected,
            prompt.label("prompt_digest"),
            digests,
        )
        .where(items.project_id == project)
        .order_by(items.position)
    )
    return [Known.from_row(row) for row in db.execute(query)]


class Matching:
    """The items of a project, to be found."""

    def __init__(self, items: Sequence[Known]) -> None:
        self._by_id = {one.id: one for one in items}
        self._systems = {system for one in items for system in one.systems}
        self._samples = {one.sample for one in items if one.sample is not None}
        self._by_sample = _grouped(items, lambda one: (one.sample, _joined(one.systems)))
        self._by_texts = _grouped(items, lambda one: _texts(one.prompt_digest, one.digests))

    def find(self, vote: ForeignVote) -> Match | Miss:
        """The vote's item, or why there is none."""
        if vote.item in self._by_id:
            return _matched(self._by_id[vote.item], vote) or OTHER_TEXT
        of_sample: list[Known] = []
        if vote.question is not None and vote.systems:
            of_sample = self._by_sample.get((vote.question, _joined(vote.systems)), [])
        exact = [one for one in of_sample if one.dataset_id == vote.dataset]
        there = exact or of_sample or self._of_texts(vote)
        matches = [match for one in there if (match := _matched(one, vote)) is not None]
        if len(matches) > 1:
            return AMBIGUOUS
        if not matches:
            return OTHER_TEXT if of_sample else self._miss(vote)
        return matches[0]

    def _of_texts(self, vote: ForeignVote) -> list[Known]:
        digests = [_digest(one) for one in vote.outputs or ()]
        return self._by_texts.get(_texts(_digest(vote.prompt or ""), digests), [])

    def _miss(self, vote: ForeignVote) -> Miss:
        if vote.kind == "gold":
            return GOLD
        names = [] if isinstance(vote.systems, str) else vote.systems
        for name in names:
            if name not in self._systems:
                shown = ", ".join(sorted(self._systems)[:20])
                return Miss("other_system", "systems", f"{name!r} is not judged here: {shown} are")
        if vote.question is not None and vote.systems:
            if vote.question not in self._samples:
                return Miss("other_sample", "question", f"no item is of a sample {vote.question!r}")
            return Miss("not_an_item", "systems", "these outputs of the sample are no item here")
        if vote.outputs:
            return Miss("other_text", "output", "no item has this prompt and these outputs")
        return UNKNOWN


OTHER_TEXT = Miss("other_text", "output", "the item has other texts than the file")
AMBIGUOUS = Miss("ambiguous", "question", "several items fit: name the dataset, too, or the system")
GOLD = Miss("gold", "item", "gold questions of another project are known by their texts alone")
UNKNOWN = Miss("unknown_item", "question", "nothing tells the item: sample and system, or texts")


def _matched(item: Known, vote: ForeignVote) -> Match | None:
    """The vote on this item; None where systems or texts say that it is on another."""
    count = len(item.digests)
    places = range(count)
    names = vote.systems if not isinstance(vote.systems, str) else None
    if vote.systems and _joined(vote.systems) != _joined(item.systems):
        return None
    if names:
        order: Sequence[int] = [item.systems.index(name) for name in names]
    elif vote.outputs:
        order = _order([_digest(one) for one in vote.outputs], item.digests)
    else:
        order = places
    if vote.outputs is not None:
        texts = [_digest(one) for one in vote.outputs]
        if len(order) != len(texts) or texts != [item.digests[place] for place in order]:
            return None
    return Match(item, order) if sorted(order) == [*places] else None


def _order(given: Sequence[str], there: Sequence[str]) -> list[int]:
    """Places of the given texts among those that are there; of equal ones each once."""
    left = list(enumerate(there))
    found = []
    for one in given:
        place = next((at for at, other in left if other == one), None)
        if place is not None:
            left = [(at, other) for at, other in left if at != place]
            found.append(place)
    return found


def _joined(systems: Sequence[str] | str) -> str:
    return systems if isinstance(systems, str) else JOINED.join(sorted(systems))


def _texts(prompt: str, digests: Sequence[str]) -> tuple[str, ...]:
    return (prompt, *sorted(digests))


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _grouped(
    items: Sequence[Known], key: Callable[[Known], tuple[object, ...]]
) -> dict[tuple[object, ...], list[Known]]:
    found: dict[tuple[object, ...], list[Known]] = {}
    for one in items:
        found.setdefault(key(one), []).append(one)
    return found
