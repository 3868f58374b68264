"""What votes say of two outputs for the same prompt: which is better, and by how much.

The margin lies in [-1, 1] and is above 0 where the first is better:

- pairwise: the share of votes for the first, less that for the second;
- best_worst: likewise; the best beats all others of its tuple, all others beat the worst;
- likert: the mean rating of the first less that of the second, on a scale from 0 to 1;
- edit: 1, an edit is better than what was edited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Any

from service.annotation.answers import LEADS, LETTERS
from service.annotation.votes_store import Judged

EDITED = " (edited)"  # behind the system's name


@dataclass(frozen=True, slots=True)
class Pair:
    """Two outputs, and what the annotators said of them."""

    id: str
    item: Judged  # of the first
    systems: tuple[str, str]
    outputs: tuple[str, str]
    margin: float
    annotators: frozenset[str]


def pairs(
    form: str,
    definition: Mapping[str, Any],
    judged: Sequence[Judged],
    criterion: str | None,
) -> Iterator[Pair]:
    """Every two outputs that votes compare.

    criterion  of likert; None: the mean over all
    """
    if form == "likert":
        scales = {
            one["name"]: one["scale"]
            for one in definition["criteria"]
            if criterion in {None, one["name"]}
        }
        yield from _rated(judged, scales)
        return
    for one in judged:
        if form == "pairwise":
            yield _compared(one, 0, 1, {k: LEADS[v["choice"]] for k, v in one.answers.items()})
        elif form == "best_worst":
            yield from _of_tuple(one)
        else:
            yield from _edits(one)


def _compared(one: Judged, first: int, second: int, leads: Mapping[str, float]) -> Pair:
    return Pair(
        f"{one.id}/{LETTERS[first]}{LETTERS[second]}",
        one,
        (one.systems[first], one.systems[second]),
        (one.outputs[first], one.outputs[second]),
        fmean(leads.values()),
        frozenset(leads),
    )


def _of_tuple(one: Judged) -> Iterator[Pair]:
    """Of two that are neither best nor worst a vote says nothing."""
    for first, second in combinations(range(len(one.outputs)), 2):
        leads = {}
        for annotator, answer in one.answers.items():
            height = {answer["best"]: 1, answer["worst"]: -1}
            a, b = (height.get(LETTERS[place], 0) for place in (first, second))
            if a != b:
                leads[annotator] = 1 if a > b else -1
        if leads:
            yield _compared(one, first, second, leads)


def _rated(judged: Sequence[Judged], scales: Mapping[str, Sequence[int]]) -> Iterator[Pair]:
    samples: dict[tuple[str | None, str | None], list[Judged]] = {}
    for one in judged:
        samples.setdefault((one.dataset_id, one.sample), []).append(one)
    for items in samples.values():
        ordered = sorted(items, key=lambda one: one.systems)
        for first, second in combinations(ordered, 2):
            yield Pair(
                f"{first.id}/{second.id}",
                first,
                (first.systems[0], second.systems[0]),
                (first.outputs[0], second.outputs[0]),
                round(_mean(first, scales) - _mean(second, scales), 12),  # equal means are a tie
                frozenset([*first.answers, *second.answers]),
            )


def _mean(one: Judged, scales: Mapping[str, Sequence[int]]) -> float:
    """The mean over annotators and criteria, 0 the least rating and 1 the greatest."""
    return fmean(
        (answer["ratings"][name] - low) / (high - low)
        for answer in one.answers.values()
        for name, (low, high) in scales.items()
    )


def _edits(one: Judged) -> Iterator[Pair]:
    (system,), (output,) = one.systems, one.outputs
    for annotator, answer in one.answers.items():
        yield Pair(
            f"{one.id}/{annotator}",
            one,
            (system + EDITED, system),
            (answer["text"], output),
            1.0,
            frozenset([annotator]),
        )
