"""Whether anything was lost, doubled or changed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assay import Client
from chaos.clients import Outcome
from chaos.work import Values


@dataclass(frozen=True, slots=True)
class Kind:
    """What became of one kind of work; `apart`: the largest relative difference of its values."""

    name: str
    asked: int
    accepted: int
    lost: int
    changed: int
    apart: float


def kinds(outcomes: Sequence[Outcome], undisturbed: Mapping[str, Values]) -> list[Kind]:
    """One line a kind of work, in the order of `undisturbed`."""
    found = []
    for name, wanted in undisturbed.items():
        mine = [one for one in outcomes if one.work.name == name]
        differences = [
            (distance(one.values, wanted), one.work.bound) for one in mine if one.values is not None
        ]
        found.append(
            Kind(
                name=name,
                asked=len(mine),
                accepted=sum(one.id is not None for one in mine),
                lost=sum(one.values is None for one in mine),
                changed=sum(apart > bound for apart, bound in differences),
                apart=max((apart for apart, _ in differences), default=0.0),
            )
        )
    return found


def distance(a: Values, b: Values) -> float:
    """The largest relative difference between numbers of one name; infinite where one lacks."""
    if a.keys() != b.keys():
        return math.inf
    return max((_apart(a[name], b[name]) for name in a), default=0.0)


def _apart(a: float | None, b: float | None) -> float:
    if a is None or b is None:
        return 0.0 if a is b else math.inf
    return 0.0 if a == b else abs(a - b) / max(abs(a), abs(b))


def doubled(assay: Client, outcomes: Iterable[Outcome]) -> list[str]:
    """What is there twice, or was made and is nobody's: systems, and ids of training jobs."""
    given = {one.id for one in outcomes}
    systems = Counter(one.system for one in assay.evaluations(limit=200))
    jobs = [one.id for one in assay.training_jobs(limit=200)]
    twice = [system for system, times in systems.items() if times > 1]
    return [*twice, *(job for job in jobs if job not in given)]
