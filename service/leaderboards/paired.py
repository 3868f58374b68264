"""Stored results read back, so that boards and comparisons can test them against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics import find
from metrics.community import people
from metrics.core.alignment import Grouping, Side
from metrics.core.clustered import Cluster
from metrics.core.compare import REPLICATES, Comparison, Testing, compare_many
from metrics.core.metric import BoundMetric
from metrics.core.metric import Score as Declared
from metrics.core.packing import unpack
from metrics.core.result import Result, ScoreValue, recomputed
from metrics.core.signature import outdated
from service.datasets import store as datasets
from service.evaluations.scores import Score, read_results
from service.settings import Settings

FITTED = (
    "strengths of a fit have no rows: they cannot be compared by a test. Compare human/win_rate"
)
GONE = "the rows behind the values are gone, or of an earlier version of the metric"
REPORTED = "reported values have no rows: they cannot be compared by a test"
ALPHA = 0.05  # of the tests that boards and comparisons show, after correction


@dataclass(frozen=True, slots=True)
class PairedResult:
    """One metric of one evaluation, with all that a paired test needs."""

    metric: BoundMetric
    result: Result
    ids: list[str]
    index: int  # of the score in question, among the metric's

    @property
    def side(self) -> Side:
        """As one of the systems that are compared."""
        return Side(self.result, self.ids)

    @property
    def declared(self) -> Declared:
        """The score in question, as its metric declares it."""
        return self.metric.scores[self.index]

    @property
    def value(self) -> float | None:
        """Of the score in question."""
        return self.result.scores[self.index].value


def without_rows(*scores: Score) -> str:
    """Why there is no result behind one of the scores."""
    methods = {one.interval_method for one in scores}
    if people.FITTED in methods:
        return FITTED
    return REPORTED if "reported" in methods else GONE


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
    if outdated(metric, score.signature or ""):  # its rows may be others than `metric` reduces
        return None
    index = [one.name for one in result.scores].index(score.name)
    return PairedResult(metric, result, ids[score.dataset_id], index)


def tested(
    a: PairedResult, b: PairedResult, testing: Testing, grouping: Grouping | None
) -> Comparison:
    """The comparison of the two on the score in question; `grouping`: what is drawn together."""
    (found,) = compare_many(a.metric, [a.side, b.side], [(0, 1)], testing, grouping=grouping)
    return found[a.index]


def score_over(one: PairedResult, cluster: Cluster) -> ScoreValue | None:
    """The score as an evaluation with this `cluster` has it; None where that cannot be had from its
    rows."""
    result, metric = one.result, one.metric
    count = REPLICATES if result.replicates is None else len(result.replicates)
    level = result.scores[one.index].level
    if result.cluster != cluster.field:
        parts = {"name": metric.name}  # the signature stays that of the stored score
        try:
            result = recomputed(
                metric, result, one.ids, parts, cluster=cluster, replicates=count, level=level
            )
        except ReportedError:
            return None
    return result.scores[one.index]
