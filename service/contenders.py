"""Stored verdicts read back, so that boards and comparisons can test them against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from metrics import find, parse
from metrics.evidence.comparing import Comparison, Testing, compare
from metrics.evidence.declaration import AnyMetric, Params
from metrics.evidence.errors import MetricError
from metrics.evidence.packing import unpack
from metrics.evidence.verdict import Verdict
from service.settings import Settings
from service.store import datasets, evaluations, verdicts


@dataclass(frozen=True, slots=True)
class Contender:
    """One metric of one evaluation, with all that a paired test needs."""

    metric: AnyMetric
    params: Params
    verdict: Verdict
    ids: list[str]
    index: int  # of the score in question, among the metric's


def contender(db: Connection, settings: Settings, row: Any) -> Contender | None:
    """The contender behind a row of scores; None when what it rests on is gone."""
    packed = verdicts.read_verdict(db, row.evaluation_id, row.position)
    evaluation = evaluations.get(db, row.evaluation_id)
    if packed is None or evaluation is None:
        return None
    try:
        metric = find(row.metric, settings.metric_roots)
        params = parse(metric, row.resolved or {})
    except MetricError:
        return None
    verdict = unpack(packed)
    index = [score.name for score in verdict.scores].index(row.name)
    ids = datasets.read_ids(db, evaluation.dataset_id)
    return Contender(metric, params, verdict, ids, index)


def tested(a: Contender, b: Contender, testing: Testing) -> Comparison:
    """The comparison of the two on the score in question."""
    found = compare(a.metric, a.params, a.verdict, a.ids, b.verdict, b.ids, testing)
    return found[a.index]


def pairwise_p(contenders: Sequence[Contender | None]) -> NDArray[np.float64]:
    """(N, N) two-sided p-values of every pair, uncorrected; NaN where no test is possible."""
    n = len(contenders)
    found = np.full((n, n), np.nan)
    for a in range(n):
        for b in range(a):
            left, right = contenders[a], contenders[b]
            if left is None or right is None:
                continue
            one = tested(left, right, _testing(left)).difference
            if one is not None:
                found[a, b] = found[b, a] = one.p_normal
    return found


def _testing(one: Contender) -> Testing:
    """As many replicates as are stored, so that no row is resampled again."""
    drawn = one.verdict.replicates
    return Testing() if drawn is None else Testing(replicates=len(drawn))
