"""Pilots: how much the votes of a project vary, from those that are there.

Each system, or pair of systems, is taken by itself, so that differences between systems are no
spread of votes; parts of the variance are averaged over them, by votes. Of several criteria or
labels the one that varies most counts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein
from sqlalchemy import Connection

from metrics.statistics.annotations import Annotations
from metrics.statistics.studies import Spread, spread
from service.annotation import items_store, votes_store
from service.annotation.answers import LETTERS
from service.annotation.store import Project
from service.annotation.votes_store import Listed

LEAST_VOTES, LEAST_ANNOTATORS = 50, 3
MOST_VOTES = 20_000  # the latest ones


@dataclass(frozen=True, slots=True)
class Pilot:
    """`spread`: None where too little is known, `why` then says so; `of`: a criterion or label."""

    spread: Spread | None
    of: str | None
    votes: int
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """What a vote says of a system or a pair of them."""

    measure: str
    of: str
    value: float


def pilot(db: Connection, project: Project) -> Pilot:
    """From the project's votes, without gold, controls and repeats."""
    latest = votes_store.page(db, project.id, after=None, limit=MOST_VOTES, descending=True)
    votes = [one for one in latest if one.kind == "item"]
    people = len({one.annotator_id for one in votes})
    if len(votes) < LEAST_VOTES or people < LEAST_ANNOTATORS:
        why = f"{len(votes)} votes of {people} people: a pilot has {LEAST_VOTES} of "
        return Pilot(None, None, len(votes), f"{why}{LEAST_ANNOTATORS} at least")
    texts: dict[str, str] = {}
    if project.form == "edit":
        texts = items_store.first_outputs(db, project.id)
    found = _spreads(project, votes, texts)
    if not found:
        why = "people have too few items in common, or all votes are the same"
        return Pilot(None, None, len(votes), why)
    of = max(found, key=lambda one: found[one].deviation)
    return Pilot(found[of], of or None, len(votes))


def _spreads(project: Project, votes: Sequence[Listed], texts: dict[str, str]) -> dict[str, Spread]:
    """By measure; those of which nothing is known are not there."""
    rows: dict[str, dict[str, list[tuple[str, str, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for vote in votes:
        for one in _values(project, vote, texts):
            row = (vote.item_id, vote.annotator_id, one.value)
            rows[one.measure][one.of].append(row)
    found = {measure: _averaged([*groups.values()]) for measure, groups in rows.items()}
    return {measure: one for measure, one in found.items() if one is not None}


def _values(project: Project, vote: Listed, texts: dict[str, str]) -> Iterator[Value]:
    answer, systems = vote.answer, vote.systems
    if project.form == "pairwise":
        won = {"a": 1.0, "b": 0.0, "tie": 0.5}[answer["choice"]]
        yield Value("", " / ".join(systems), won)
    elif project.form == "best_worst":
        for letter, system in zip(LETTERS, systems, strict=False):
            value = float(letter == answer["best"]) - float(letter == answer["worst"])
            yield Value("", system, value)
    elif project.form == "likert":
        for name, rating in answer["ratings"].items():
            yield Value(name, systems[0], float(rating))
    elif project.form == "label":
        for label in project.definition["labels"]:
            yield Value(label, systems[0], float(label == answer["label"]))
    else:
        kept = Levenshtein.normalized_similarity(texts[vote.item_id], answer["text"])
        yield Value("", systems[0], kept)


def _averaged(groups: Sequence[Sequence[tuple[str, str, float]]]) -> Spread | None:
    """The spread within groups of (item, annotator, value); None where none tells it."""
    parts, votes = np.zeros(3), 0  # of items, of annotators, in all
    for group in groups:
        items, annotators, values = zip(*group, strict=True)
        _, item = np.unique(items, return_inverse=True)
        _, annotator = np.unique(annotators, return_inverse=True)
        try:
            one = spread(Annotations.of(item, annotator, np.array(values)))
        except ValueError:  # too few in common, or all the same
            continue
        shares = np.array([one.of_items, one.of_annotators, 1.0])
        parts += len(group) * one.deviation**2 * shares
        votes += len(group)
    if votes < LEAST_VOTES:
        return None
    total = float(parts[2])
    return Spread(math.sqrt(total / votes), float(parts[0]) / total, float(parts[1]) / total)
