"""Language models that judge the project's items: each by itself beside all people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics.statistics import annotators as panel
from metrics.statistics.annotations import Annotations
from metrics.statistics.estimates import proportions
from service.annotation.hashes import hashed
from service.vote_analyses.agreement import ALIKE, ALONE, DISTANCES, compared
from service.vote_analyses.annotators import NOT_ASKED, NOT_CHOSEN
from service.vote_analyses.ballots import Ballots, value_of
from service.vote_analyses.numbers import estimate
from service.vote_analyses.pairwise import chosen
from service.vote_analyses.schemas import AnsweredShareOut, JudgeAnalysisOut, VoteEstimateOut
from service.vote_analyses.store import Rows, Vote


def judges(ballots: Ballots, rows: Rows) -> list[JudgeAnalysisOut]:
    """Every model that annotates the project, oldest first."""
    found = []
    for id, model in rows.models.items():
        own = [one for one in rows.judgements if one.annotator_id == id]
        said, last = _seated(ballots, own), len(ballots.annotators)
        distance = DISTANCES.get(ballots.form, "nominal")
        rates = ballots.form == "likert"
        found.append(
            JudgeAnalysisOut(
                annotator=id,
                name=model.name,
                hash=hashed(ballots.project, id),
                model=model.model or "",
                votes=sum(one.kind == "item" for one in own),
                agreement=estimate(panel.alike(said)[last], ALONE),
                alpha=estimate(panel.alpha(said, distance)[last], ALIKE),
                severity=estimate(panel.severity(said)[last], ALONE) if rates else None,
                first_shown=_first_shown(own) if ballots.form == "pairwise" else None,
                gold=_right(own, "gold"),
                control=_right(own, "control"),
            )
        )
    return found


def _seated(ballots: Ballots, own: Sequence[Vote]) -> Annotations:
    """What people said, and what the model said of the same items, as the last of all."""
    place = {one.id: at for at, one in enumerate(ballots.items)}
    shared = [one for one in own if one.item_id in place]
    items = np.array([place[one.item_id] for one in shared], np.int64)
    project, criterion, systems = ballots.project, ballots.criterion, ballots.systems
    values = [
        value_of(project, criterion, systems, one, ballots.items[at])
        for one, at in zip(shared, items.tolist(), strict=True)
    ]
    last = len(ballots.annotators)
    return Annotations.of(
        np.r_[ballots.item, items],
        np.r_[ballots.annotator, np.full(len(items), last)],
        np.r_[compared(ballots), np.array(values, np.float64)],
        items=len(ballots.items),
        annotators=last + 1,
    )


def _first_shown(own: Sequence[Vote]) -> VoteEstimateOut:
    sides = [chosen(one.answer["choice"], one.shown) for one in own if one.kind == "item"]
    decided = [side > 0 for side in sides if side]
    return _share(sum(decided), len(decided), NOT_CHOSEN)


def _right(own: Sequence[Vote], kind: str) -> AnsweredShareOut:
    checked = [bool(one.agrees) for one in own if one.kind == kind]
    found = _share(sum(checked), len(checked), NOT_ASKED)
    return AnsweredShareOut(n=len(checked), **dict(found))


def _share(hits: int, n: int, reason: str) -> VoteEstimateOut:
    return estimate(proportions(np.array([float(hits)]), np.array([float(n)]))[0], reason)
