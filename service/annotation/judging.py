"""Judges, and other metrics, beside people: how often they put two outputs in the order of a vote.

    agreement = Σ votes for the output that the metric puts first / Σ votes that are no ties

over pairs of outputs of one sample; of pairs that tie by the metric half counts. The interval is
over samples (studentized bootstrap), as are those of scores. Two people's agreement is the same
share, of all pairs of votes on the same two outputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from metrics.community.people import PREFIX
from metrics.core.rows import Floats, mean
from metrics.core.signature import unlike
from metrics.statistics.intervals import wilson
from metrics.statistics.weights import totals, unit_keys
from service.annotation import votes_store
from service.annotation.board_schemas import (
    HeldCriterionOut,
    HeldMetricOut,
    HeldToPeopleOut,
    OrderAgreementOut,
)
from service.annotation.publishing import require_evaluations
from service.annotation.shares import Output, Pair, orders
from service.annotation.store import Project
from service.evaluations.scores import Score, read_scores
from service.figures.numbers import interval
from service.leaderboards import scopes
from service.leaderboards.paired import PairedResult, paired_results, without_rows
from service.settings import Settings

JUDGE = "judge"
LEVEL = 0.95
Orders = Mapping[Pair, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Held:
    """A score's values of outputs, more is better."""

    score: Score
    values: Mapping[Output, float]


def held_to_people(
    db: Connection, settings: Settings, project: Project, slice_: str | None
) -> HeldToPeopleOut:
    """Every score that two or more of the project's evaluations have. Raises 422 for a slice that
    no sample is of, and for votes from elsewhere."""
    require_evaluations(project)
    votes = votes_store.cast(db, project.id)
    if slice_ is not None:
        inside = scopes.sliced(db, sorted({one["dataset"] for one in project.systems}), slice_)
        votes = [vote for vote in votes if vote.sample in inside]
    scores, left_out = _scores(db, settings, project)
    return HeldToPeopleOut(
        id=project.id,
        slice=slice_,
        level=LEVEL,
        votes=len(votes),
        criteria=[
            _criterion(name, found, scores) for name, found in orders(project, votes).items()
        ],
        left_out=left_out,
    )


def _criterion(name: str, found: Orders, scores: Sequence[Held]) -> HeldCriterionOut:
    metrics = [
        HeldMetricOut(
            metric=one.score.metric,
            name=one.score.name,
            judge=one.score.metric == JUDGE,
            agreement=_share(_with_metric(found, one.values)),
        )
        for one in scores
    ]
    metrics.sort(key=lambda one: -(one.agreement.value or 0.0))
    return HeldCriterionOut(score=name, people=_share(_among_people(found)), metrics=metrics)


def _with_metric(
    found: Orders, values: Mapping[Output, float]
) -> dict[tuple[str, str], list[float]]:
    """Of each sample, how many votes agree with the metric, and how many there are."""
    rows: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (dataset, sample, a, b), (ahead, behind) in found.items():
        difference = values.get((dataset, sample, a), np.nan) - values.get(
            (dataset, sample, b), np.nan
        )
        if np.isfinite(difference):
            own = rows[dataset, sample]
            share = 0.5 * (1.0 + np.sign(difference))
            own[0] += share * ahead + (1.0 - share) * behind
            own[1] += ahead + behind
    return rows


def _among_people(found: Orders) -> dict[tuple[str, str], list[float]]:
    """Of each sample, how many pairs of votes on the same outputs agree, and how many there are."""
    rows: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (dataset, sample, _, _), (ahead, behind) in found.items():
        total = ahead + behind
        if total > 1:
            own = rows[dataset, sample]
            own[0] += (ahead * (ahead - 1) + behind * (behind - 1)) / 2
            own[1] += total * (total - 1) / 2
    return rows


def _share(by_sample: Mapping[tuple[str, str], Sequence[float]]) -> OrderAgreementOut:
    if not by_sample:
        return OrderAgreementOut(value=None, interval=None, n=0)
    rows: Floats = np.array(list(by_sample.values()), np.float64)
    keys = unit_keys(["\x00".join(one) for one in by_sample])
    ends = (np.zeros(1), np.ones(1))
    found = wilson(rows, keys, lambda sums: mean(sums, None), level=LEVEL, bounds=ends)
    return OrderAgreementOut(
        value=float(mean(totals(rows), None)[0]),
        interval=interval(found.low[0], found.high[0]),
        n=len(rows),
    )


def _scores(
    db: Connection, settings: Settings, project: Project
) -> tuple[list[Held], dict[str, str]]:
    """Scores of samples by two or more systems' evaluations, and why others are left out."""
    of = {one["evaluation"]: one["system"] for one in project.systems}
    ends: dict[str, dict[str, Score]] = defaultdict(dict)
    for evaluation, scores in read_scores(db, list(of)).items():
        for one in scores:
            if not one.slice and one.value is not None and not one.name.startswith(PREFIX):
                ends[one.name].setdefault(evaluation, one)
    shared = {name: list(each.values()) for name, each in ends.items() if len(each) > 1}
    results = paired_results(db, settings, [one for each in shared.values() for one in each])
    found, left_out, at = [], {}, 0
    for name, each in shared.items():
        own, at = results[at : at + len(each)], at + len(each)
        why = _refused(each, own)
        if why is None:
            found.append(Held(each[0], _values(each, own, of)))
        else:
            left_out[name] = why
    return found, left_out


def _refused(ends: Sequence[Score], results: Collection[PairedResult | None]) -> str | None:
    """Why the scores of several systems are not values of their outputs, if so."""
    for end in ends[1:]:
        why = unlike(ends[0].signature or "", end.signature or "")
        if why is not None:
            return why
    if None in results:
        return without_rows(*ends)
    if any(one is not None and one.result.per_sample is None for one in results):
        return "it is of a set, and no sample has a value of it"
    return None


def _values(
    ends: Sequence[Score], results: Sequence[PairedResult | None], of: Mapping[str, str]
) -> dict[Output, float]:
    values: dict[Output, float] = {}
    sign = 1.0 if ends[0].higher_is_better else -1.0
    for end, one in zip(ends, results, strict=True):
        if one is not None and one.result.per_sample is not None:
            own = sign * one.result.per_sample[:, one.index]
            system = of[end.evaluation_id]
            for id, value in zip(one.ids, own.tolist(), strict=True):
                values[end.dataset_id, id, system] = value
    return values
