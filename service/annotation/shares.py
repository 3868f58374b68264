"""What votes say of systems: a number of each vote for each output, and who was put before whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Any

from metrics.community.people import BEST_WORST, PREFIX, WIN_RATE
from service.annotation.answers import LETTERS, TIE
from service.annotation.store import Project
from service.annotation.votes_store import Cast

WINS = {"a": (1.0, 0.0), "b": (0.0, 1.0), TIE: (0.5, 0.5)}
Output = tuple[str, str, str]  # a dataset's id, a sample's id, a system
Pair = tuple[str, str, str, str]  # a dataset's id, a sample's id, two systems


@dataclass(frozen=True, slots=True)
class Scale:
    """The range of a score, and whether more is better."""

    low: float
    high: float
    judged: bool = True


def scales(project: Project) -> dict[str, Scale]:
    """The scores that the project's form has, by name; of edits there is none."""
    definition = project.definition
    if project.form == "likert":
        return {PREFIX + one["name"]: Scale(*one["scale"]) for one in definition["criteria"]}
    if project.form == "label":
        return {PREFIX + one: Scale(0.0, 1.0, judged=False) for one in definition["labels"]}
    return {
        "pairwise": {WIN_RATE: Scale(0.0, 1.0)},
        "best_worst": {BEST_WORST: Scale(-1.0, 1.0)},
    }.get(project.form, {})


def shares(project: Project, vote: Cast) -> Iterator[tuple[str, str, float]]:
    """The score, the system and its value, of each output that was voted on."""
    answer = vote.answer
    if project.form == "pairwise":
        for system, value in zip(vote.systems, WINS[answer["choice"]], strict=True):
            yield WIN_RATE, system, value
    elif project.form == "best_worst":
        for letter, system in zip(LETTERS, vote.systems, strict=False):
            yield BEST_WORST, system, float(letter == answer["best"]) - (letter == answer["worst"])
    elif project.form == "likert":
        for name, value in answer["ratings"].items():
            yield PREFIX + name, vote.systems[0], float(value)
    elif project.form == "label":
        for label in project.definition["labels"]:
            yield PREFIX + label, vote.systems[0], float(label == answer["label"])


def means(project: Project, votes: Sequence[Cast]) -> dict[str, dict[Output, float]]:
    """By score, the mean of the votes on each output."""
    found: dict[str, dict[Output, list[float]]] = {name: {} for name in scales(project)}
    for vote in votes:
        for name, system, value in shares(project, vote):
            output = (vote.dataset_id, vote.sample, system)
            found[name].setdefault(output, []).append(value)
    return {
        name: {output: fmean(values) for output, values in of.items()} for name, of in found.items()
    }


def orders(project: Project, votes: Sequence[Cast]) -> dict[str, dict[Pair, tuple[int, int]]]:
    """By score, for every two outputs of a sample, how many votes put the one before the other, and
    the other before the one; ties are left out. Where people did not choose between two outputs it
    is one, by the means of what they said of each."""
    if project.form == "pairwise":
        return {WIN_RATE: _chosen(votes)}
    judged = {name for name, scale in scales(project).items() if scale.judged}
    return {
        name: _ordered(values) for name, values in means(project, votes).items() if name in judged
    }


def _chosen(votes: Sequence[Cast]) -> dict[Pair, tuple[int, int]]:
    found: dict[Pair, list[int]] = defaultdict(lambda: [0, 0])
    for vote in votes:
        choice = vote.answer["choice"]
        if choice != TIE:
            a, b = vote.systems
            found[vote.dataset_id, vote.sample, a, b][LETTERS.index(choice)] += 1
    return {pair: (ahead, behind) for pair, (ahead, behind) in found.items()}


def _ordered(values: Mapping[Output, float]) -> dict[Pair, tuple[int, int]]:
    by_sample: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for (dataset, sample, system), value in values.items():
        by_sample[dataset, sample][system] = value
    found: dict[Pair, tuple[int, int]] = {}
    for (dataset, sample), of in by_sample.items():
        for a, b in combinations(sorted(of), 2):
            if of[a] != of[b]:
                found[dataset, sample, a, b] = (int(of[a] > of[b]), int(of[a] < of[b]))
    return found


def params_of(project: Project, scale: Mapping[str, Any], votes: Sequence[Cast]) -> dict[str, Any]:
    """The parameters of a metric of these votes."""
    return {
        "project": project.id,
        "form": project.form,
        "overlap": project.overlap,
        **scale,
        "votes": len(votes),
        "annotators": len({vote.annotator_id for vote in votes}),
    }
