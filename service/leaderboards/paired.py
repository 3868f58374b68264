"""Stored results read back, so that boards and comparisons can test them against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from service.evaluations.scores import Score, read_results
from service.settings import Settings

ALPHA = 0.05  # of the tests that boards and comparisons show, after correction


@dataclass(frozen=True, slots=True)
class PairedResult:
    """One metric of one evaluation, with all that a paired test needs."""

    metric: BoundMetric
    result: Result
    ids: list[str]
    index: int  # of the score in question, among the metric's


def paired_results(
    db: Connection, settings: Settings, scores: Sequence[Score]
) -> list[PairedResult | None]:
    """The result behind each score; None where what it rests on is gone.

    A result behind several scores is read and unpacked once, and the ids of a dataset once.
    """
    packed = read_results(db, {(score.evaluation_id, score.position) for score in scores})
    results = {place: unpack(data) for place, data in packed.items()}
    ids = {id: datasets.read_ids(db, id) for id in {score.dataset_id for score in scores}}
    return [
        _paired(settings, score, results.get((score.evaluation_id, score.position)), ids)
        for score in scores
    ]


def _paired(
    settings: Settings, score: Score, result: Result | None, ids: Mapping[str, list[str]]
) -> PairedResult | None:
    if result is None:
        return None
    try:
        metric = find(score.metric, settings.metric_roots).bind(score.resolved)
    except ReportedError:  # its declaration has changed since, or its folder is gone
        return None
    index = [one.name for one in result.scores].index(score.name)
    return PairedResult(metric, result, ids[score.dataset_id], index)


def tested(a: PairedResult, b: PairedResult, testing: Testing) -> Comparison:
    """The comparison of the two on the score in question."""
    found = compare(a.metric, a.result, a.ids, b.result, b.ids, testing)
    return found[a.index]


def pairwise_p(results: Sequence[PairedResult | None]) -> NDArray[np.float64]:
    """(N, N) two-sided p-values of every pair, uncorrected; NaN where no test is possible."""
    n = len(results)
    found = np.full((n, n), np.nan)
    for a in range(n):
        for b in range(a):
            left, right = results[a], results[b]
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
