"""Language models that annotate a project, beside its people.

How far they agree on an item, by each criterion, and how far people do on the same items; intervals
are over samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection

from metrics.statistics.agreement import Distance
from metrics.statistics.annotations import Annotations
from metrics.statistics.beside_panel import beside
from metrics.statistics.clusters import clusters
from metrics.statistics.estimates import Estimate
from service.annotation import annotators_store, judgements_store
from service.annotation.annotators_store import Annotator
from service.annotation.answers import LEADS, LETTERS
from service.annotation.board_schemas import (
    HeldEstimateOut,
    HeldModelOut,
    ModelAgreementOut,
)
from service.annotation.corrected import corrected
from service.annotation.hashes import hashed
from service.annotation.judgements_store import Answered
from service.annotation.store import Project
from service.figures.numbers import finite, interval

Value = Callable[[Mapping[str, Any]], float]


def held_models(
    db: Connection, project: Project, level: float, inside: frozenset[str] | None
) -> list[HeldModelOut]:
    """Every model that annotates the project, on samples `inside` a slice; None: on all."""
    found = annotators_store.models(db, project.id)
    if not found:
        return []
    people = _inside(judgements_store.answers(db, project.id, "people"), inside)
    by_model: dict[str, list[Answered]] = defaultdict(list)
    for one in _inside(judgements_store.answers(db, project.id, "models"), inside):
        by_model[one.annotator_id].append(one)
    return [_held(project, one, people, by_model[one.id], level) for one in found]


def _inside(said: Sequence[Answered], inside: frozenset[str] | None) -> list[Answered]:
    return [one for one in said if inside is None or one.sample in inside]


def _held(
    project: Project,
    model: Annotator,
    people: Sequence[Answered],
    own: Sequence[Answered],
    level: float,
) -> HeldModelOut:
    return HeldModelOut(
        annotator=model.id,
        name=model.name,
        hash=hashed(project, model.id),
        model=model.model or "",
        status=model.status,
        votes=len(own),
        criteria=[*_agreements(project, people, own, level)],
        corrected=[*corrected(project, people, own, level)],
    )


def _criteria(project: Project) -> dict[str, tuple[Distance, Value]]:
    """What is said of an item, as numbers, by name."""
    if project.form == "pairwise":
        return {"choice": ("ordinal", lambda answer: float(LEADS[answer["choice"]]))}
    if project.form == "label":
        labels = list(project.definition["labels"])
        return {"label": ("nominal", lambda answer: float(labels.index(answer["label"])))}
    if project.form == "likert":
        names = [str(one["name"]) for one in project.definition["criteria"]]
        return {name: ("ordinal", _rating(name)) for name in names}
    return {name: ("nominal", _letter(name)) for name in ("best", "worst")}


def _rating(name: str) -> Value:
    return lambda answer: float(answer["ratings"][name])


def _letter(name: str) -> Value:
    return lambda answer: float(LETTERS.index(answer[name]))


def _agreements(
    project: Project, people: Sequence[Answered], own: Sequence[Answered], level: float
) -> Iterator[ModelAgreementOut]:
    samples = {one.item_id: one.unit for one in [*people, *own]}
    place = {id: at for at, id in enumerate(samples)}
    who = {id: at for at, id in enumerate(sorted({one.annotator_id for one in people}))}
    for name, (distance, value) in _criteria(project).items():
        rater = np.full(len(place), np.nan)
        rater[[place[one.item_id] for one in own]] = [value(one.answer) for one in own]
        panel = Annotations.of(
            np.array([place[one.item_id] for one in people], np.int64),
            np.array([who[one.annotator_id] for one in people], np.int64),
            np.array([value(one.answer) for one in people], np.float64),
            items=len(place),
            annotators=len(who),
        )
        found = beside(panel, rater, clusters([*samples.values()]), distance, level)
        rated = project.form == "likert"
        yield ModelAgreementOut(
            criterion=name,
            items=found.items,
            agreement=_estimate(found.agreement),
            alpha=_estimate(found.alpha),
            people_agreement=_estimate(found.panel_agreement),
            people_alpha=_estimate(found.panel_alpha),
            difference=_estimate(found.difference) if rated else None,
        )


def _estimate(found: Estimate) -> HeldEstimateOut:
    return HeldEstimateOut(value=finite(found.value), interval=interval(found.low, found.high))
