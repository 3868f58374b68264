"""Ballots: a project's votes as columns, one row for each vote that tells of systems.

item, sample, annotator  (n,)  places in `items`, `samples`, `annotators`
value                    (n,)  what was said of the item, as a number:

pairwise    1 the item's first system, -1 its second, 0 a tie
likert      the rating by the criterion
best_worst  the place of the best, among the project's systems
label       the label's place among the project's
edit        the share of the text that was kept: 1 - distance / length of the longer one
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from metrics.core.rows import Floats
from metrics.statistics.annotations import Annotations
from service.annotation.answers import LEADS, LETTERS
from service.annotation.store import Project
from service.vote_analyses.store import Item, Rows, Vote

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ballots:
    """See above. `checks`: votes on gold questions and controls, and repeats."""

    project: Project
    criterion: str | None
    systems: tuple[str, ...]
    annotators: tuple[str, ...]
    names: Mapping[str, str]
    votes: Sequence[Vote]
    items: Sequence[Item]
    samples: Sequence[tuple[str, str]]
    checks: Sequence[Vote]
    item: Ints
    sample: Ints
    annotator: Ints
    value: Floats

    @classmethod
    def of(cls, project: Project, criterion: str | None, rows: Rows) -> Ballots:
        """The stored rows as columns."""
        counted = [one for one in rows.votes if one.kind == "item"]
        used = sorted({one.item_id for one in counted})
        place = {id: at for at, id in enumerate(used)}
        samples = sorted({_sample(rows.items[id]) for id in used})
        of_sample = {one: at for at, one in enumerate(samples)}
        people = sorted({one.annotator_id for one in rows.votes})
        who = {id: at for at, id in enumerate(people)}
        systems = tuple(sorted({one["system"] for one in project.systems}))
        said = [
            _value(project, criterion, systems, one, rows.items[one.item_id]) for one in counted
        ]
        return cls(
            project=project,
            criterion=criterion,
            systems=systems,
            annotators=tuple(people),
            names=rows.names,
            votes=counted,
            items=[rows.items[id] for id in used],
            samples=samples,
            checks=[one for one in rows.votes if one.kind != "item"],
            item=_places(place[one.item_id] for one in counted),
            sample=_places(of_sample[_sample(rows.items[one.item_id])] for one in counted),
            annotator=_places(who[one.annotator_id] for one in counted),
            value=np.array(said, np.float64),
        )

    @property
    def form(self) -> str:
        """The project's."""
        return self.project.form

    @property
    def labels(self) -> list[str]:
        """What an output may be called, of the form label."""
        return list(self.project.definition["labels"])

    def item_of(self, row: int) -> Item:
        """What a vote is on."""
        return self.items[int(self.item[row])]

    def place(self, system: str) -> int:
        """Of a system."""
        return self.systems.index(system)

    def system(self) -> Ints:
        """(n,) whose output was judged, where an item has one."""
        of_item = np.array([self.place(one.systems[0]) for one in self.items], np.int64)
        return of_item[self.item]

    def annotations(self, values: Floats) -> Annotations:
        """What each said of each item."""
        seconds = [np.nan if one.seconds is None else one.seconds for one in self.votes]
        return Annotations.of(
            self.item,
            self.annotator,
            values,
            np.array(seconds, np.float64),
            items=len(self.items),
            annotators=len(self.annotators),
        )


def _value(
    project: Project, criterion: str | None, systems: Sequence[str], vote: Vote, item: Item
) -> float:
    answer = vote.answer
    if project.form == "pairwise":
        return float(LEADS[answer["choice"]])
    if project.form == "likert":
        return float(answer["ratings"][criterion])
    if project.form == "best_worst":
        return float(systems.index(item.systems[LETTERS.index(answer["best"])]))
    if project.form == "label":
        return float(project.definition["labels"].index(answer["label"]))
    return float(Levenshtein.normalized_similarity(item.outputs[0], answer["text"]))


def _sample(item: Item) -> tuple[str, str]:
    return item.dataset_id or "", item.sample or item.id


def _places(found: Iterable[int]) -> Ints:
    return np.fromiter(found, np.int64)
