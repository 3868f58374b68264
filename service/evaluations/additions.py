"""Scores that come to an evaluation after its end: those of people's votes.

They are concluded as any other, on one value a sample. What goes by them, as a judge's mean that
is corrected by people's ratings, is concluded anew from its stored evidence, not measured again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.errors import ReportedError
from inference.protocol import NoModels
from metrics.community import people
from metrics.core.evidence import Evidence
from metrics.core.metric import BoundMetric
from metrics.core.result import ScoreValue
from metrics.core.rows import Floats, Ints
from metrics.core.signature import parts, text
from service.evaluations import outputs, plans, shards
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.closing import Closing, closing_of
from service.evaluations.plans import Plan
from service.jobs.context import Context

NOT_FITTED = "no chain of votes connects it with every other system"


@dataclass(frozen=True, slots=True)
class Voted:
    """A score with people's values of the samples (n_samples,), NaN where nobody voted."""

    metric: BoundMetric
    values: Floats


@dataclass(frozen=True, slots=True)
class Fitted:
    """A score that is a fit's: of no samples. NaN where nothing can be said."""

    metric: BoundMetric
    value: float
    low: float
    high: float
    n: int
    warnings: Sequence[str]


def add(
    context: Context,
    evaluation: str,
    project: str,
    voted: Sequence[Voted],
    fitted: Sequence[Fitted],
) -> None:
    """Store the project's scores in place of those it had; one without a vote is stored where there
    was one before. An evaluation that is measured again meanwhile is left as it is."""
    with context.engine.begin() as db:
        locked = evaluations.lock(db, evaluation)
        row = evaluations.get(db, evaluation)
        if locked is None or row is None or locked.status != "succeeded":
            return
        had = plans.places(db, evaluation, project)
        voted = [one for one in voted if one.metric.name in had or np.isfinite(one.values).any()]
        fitted = [one for one in fitted if one.metric.name in had or np.isfinite(one.value)]
        metrics = [one.metric for one in voted] + [one.metric for one in fitted]
        given = [_plan(plans.place(db, evaluation, one.name, project), one) for one in metrics]
        counts, blank = outputs.counts(db, evaluation), outputs.blank(db, evaluation)
        closing = closing_of(context, db, row, plans.read(db, evaluation), counts)
    starts = np.cumsum([0, *(counts.get(at, 0) for at in range(row.size))])
    without = np.isin(closing.unit, list(blank))
    evidence = [people.evidence(_of_first(one.values, closing.unit), without) for one in voted]
    for plan, added, found in zip(given, voted, evidence, strict=False):
        closing.conclude_of(plan, added.metric, found)
    for plan, fit in zip(given[len(voted) :], fitted, strict=True):
        closing.add(plan, [_score(fit, plan, row.level)], "")
    if given and _store(context, evaluation, closing, given, evidence, starts):
        _correct(context, evaluation)


def _of_first(values: Floats, unit: Ints) -> Floats:
    """(n_items,) the values (n_samples,) at the first output of each sample, which people saw; NaN
    at others."""
    first = np.r_[True, unit[1:] != unit[:-1]][: len(unit)]
    return np.where(first, values[unit], np.nan)


def _plan(position: int, metric: BoundMetric) -> Plan:
    params = metric.dump()
    return Plan(position, metric.name, params, params, parts(metric, NoModels()), None)


def _score(fit: Fitted, plan: Plan, level: float) -> ScoreValue:
    (score,) = fit.metric.scores
    there = math.isfinite(fit.value)
    interval = (fit.low, fit.high) if math.isfinite(fit.low + fit.high) else None
    return ScoreValue(
        name=score.name,
        value=fit.value if there else None,
        interval=interval if there else None,
        level=level,
        n=fit.n,
        missing=0,
        higher_is_better=score.higher_is_better,
        signature=text(plan.signature or {}, score),
        interval_method=people.FITTED,
        warnings=tuple(fit.warnings),
        error=None if there else NOT_FITTED,
    )


def _correct(context: Context, evaluation: str) -> None:
    """Conclude anew what goes by people's votes."""
    with context.engine.begin() as db:
        row = evaluations.get(db, evaluation)
        planned = plans.read(db, evaluation)
        corrected = [
            one
            for one in planned
            if _by_people(context, one) and shards.read(db, evaluation, one.position)
        ]
        if row is None or not corrected:
            return
        closing = closing_of(context, db, row, planned, outputs.counts(db, evaluation))
    for one in corrected:
        closing.conclude(one)
    _store(context, evaluation, closing, corrected)


def _by_people(context: Context, one: Plan) -> bool:
    if one.resolved is None or one.error is not None:
        return False
    try:
        fields = one.bound(context.settings.metric_roots).fields
    except ReportedError:  # its declaration has changed since, or its folder is gone
        return False
    return any(field.startswith(people.PREFIX) for field in fields)


def _store(
    context: Context,
    evaluation: str,
    closing: Closing,
    given: Sequence[Plan],
    evidence: Sequence[Evidence] = (),
    starts: Ints | None = None,
) -> bool:
    """Store what was concluded of the plans, whether the evaluation still stands.

    evidence  of the first of them, to be stored, too; `starts`: see `shards.replace`
    """
    with context.engine.begin() as db:
        locked = evaluations.lock(db, evaluation)
        if locked is None or locked.status != "succeeded":
            return False
        for one in given:
            about = {"resolved": one.resolved, "signature": one.signature}
            plans.complete(db, evaluation, one.position, **about)
            packed = closing.packed.get(one.position)
            results.keep_result(db, evaluation, one.position, packed)
        for one, found in zip(given, evidence, strict=False):
            if starts is not None:
                shards.replace(db, evaluation, one.position, found, starts)
        results.replace_some(db, evaluation, closing.rows, [one.position for one in given])
        evaluations.vote(db, evaluation)
    return True
