"""What an evaluation has measured so far: its first shards, concluded as if they were the set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics import find
from metrics.core.metric import BoundMetric
from metrics.core.result import Result, conclude
from service.evaluations import outputs, plans, shards
from service.evaluations.plans import Plan
from service.settings import Settings

UNUSED = 2  # replicates: nobody looks at those of a part


def measured(
    db: Connection, settings: Settings, evaluation: str, ids: Sequence[str], score: str
) -> tuple[BoundMetric, Result] | None:
    """The metric that has the score, and its result over the first samples, without a gap: those
    of the first shards. None where no metric has it, or nothing is measured yet."""
    for one in plans.read(db, evaluation):
        metric = _bound(settings, one)
        if metric is not None and score in metric.score_names:
            result = _result(db, evaluation, metric, one, ids)
            return (metric, result) if result is not None else None
    return None


def _bound(settings: Settings, one: Plan) -> BoundMetric | None:
    if one.resolved is None or one.error is not None:
        return None
    try:
        return find(one.name, settings.metric_roots).bind(one.resolved)
    except ReportedError:
        return None


def _result(
    db: Connection, evaluation: str, metric: BoundMetric, one: Plan, ids: Sequence[str]
) -> Result | None:
    parts = shards.read(db, evaluation, one.position)
    first = [part for at, part in enumerate(parts) if part.shard == at]  # up to the first gap
    last = shards.get(db, evaluation, len(first) - 1) if first else None
    if last is None or any(part.error for part in first):
        return None
    counts = outputs.counts(db, evaluation)
    per_unit = [counts.get(index, 0) for index in range(last.stop)]
    unit = np.repeat(np.arange(last.stop, dtype=np.int64), per_unit)
    parts_of = one.signature or {"name": one.name}
    return conclude(
        metric, shards.joined(first), unit, ids[: last.stop], parts_of, replicates=UNUSED
    )
