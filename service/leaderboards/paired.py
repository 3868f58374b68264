"""Stored results read back, so that boards and comparisons can test them against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics import find
from metrics.core.compare import Comparison, Testing, compare
from metrics.core.metric import BoundMetric
from metrics.core.packing import unpack
from metrics.core.result import Result
from service.datasets import store as datasets
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class PairedResult:
    """One metric of one evaluation, with all that a paired test needs."""

    metric: BoundMetric
    result: Result
    ids: list[str]
    index: int  # of the score in question, among the metric's


def paired_result(db: Connection, settings: Settings, row: Any) -> PairedResult | None:
    """The paired_result behind a row of scores; None when what it rests on is gone."""
    packed = results.read_result(db, row.evaluation_id, row.position)
    evaluation = evaluations.get(db, row.evaluation_id)
    if packed is None or evaluation is None:
        return None
    try:
        metric = find(row.metric, settings.metric_roots).bind(row.resolved)
    except ReportedError:
        return None
    result = unpack(packed)
    index = [score.name for score in result.scores].index(row.name)
    ids = datasets.read_ids(db, evaluation.dataset_id)
    return PairedResult(metric, result, ids, index)


def tested(a: PairedResult, b: PairedResult, testing: Testing) -> Comparison:
    """The comparison of the two on the score in question."""
    found = compare(a.metric, a.result, a.ids, b.result, b.ids, testing)
    return found[a.index]


def pairwise_p(paired_results: Sequence[PairedResult | None]) -> NDArray[np.float64]:
    """(N, N) two-sided p-values of every pair, uncorrected; NaN where no test is possible."""
    n = len(paired_results)
    found = np.full((n, n), np.nan)
    for a in range(n):
        for b in range(a):
            left, right = paired_results[a], paired_results[b]
            if left is None or right is None:
                continue
            one = tested(left, right, _testing(left)).difference
            if one is not None:
                found[a, b] = found[b, a] = one.p_normal
    return found


def _testing(one: PairedResult) -> Testing:
    """As many replicates as are stored, so that no row is resampled again."""
    drawn = one.result.replicates
    return Testing() if drawn is None else Testing(replicates=len(drawn))
