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


@dataclass(frozen=True, slots=True)
class Pairs:
    """(N, N) what N systems' paired tests found; NaN where no test is possible.

    p_values     two-sided, uncorrected
    differences  the row's system less the column's, over the samples that both have
    """

    p_values: NDArray[np.float64]
    differences: NDArray[np.float64]


def pairwise(results: Sequence[PairedResult | None]) -> Pairs:
    """The tests of every pair."""
    n = len(results)
    found = Pairs(np.full((n, n), np.nan), np.full((n, n), np.nan))
    for a in range(n):
        for b in range(a):
            left, right = results[a], results[b]
            if left is None or right is None:
                continue
            one = tested(left, right, _testing(left)).difference
            if one is not None:
                found.p_values[a, b] = found.p_values[b, a] = one.p_normal
                found.differences[a, b], found.differences[b, a] = one.value, -one.value
    return found


def lacking(results: Sequence[PairedResult | None], missing: Sequence[int]) -> list[int]:
    """How many samples each system of a board has no value on, while another one has.

    missing  samples without a value, of each; all that is known where a result is gone
    """
    there = [one.result.missing for one in results if one is not None]
    nobody = np.logical_and.reduce(there) if there else np.zeros(0, np.bool_)
    fewest = min(missing, default=0)
    return [
        count - fewest if one is None else int((one.result.missing & ~nobody).sum())
        for one, count in zip(results, missing, strict=True)
    ]


def only(a: PairedResult, b: PairedResult) -> int:
    """How many samples a has a value on and b has none, whether it left them out or blank."""
    valued = {id for id, missing in zip(b.ids, b.result.missing, strict=True) if not missing}
    pairs = zip(a.ids, a.result.missing, strict=True)
    return sum(not missing and id not in valued for id, missing in pairs)


def _testing(one: PairedResult) -> Testing:
    """As many replicates as are stored, so that no row is resampled again."""
    drawn = one.result.replicates
    return Testing() if drawn is None else Testing(replicates=len(drawn))
