"""evaluate.close: the shards' evidence joined and settled, values and intervals stored."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from inference.errors import ReportedError
from metrics.core.alike import pointed_out
from metrics.core.beside import with_fields
from metrics.core.clustered import MOST_SLICES, Cluster
from metrics.core.evidence import Evidence
from metrics.core.metric import BoundMetric
from metrics.core.packing import pack
from metrics.core.result import Result, ScoreValue, conclude, failed
from metrics.core.rows import Ints
from metrics.core.settling import restrict
from metrics.statistics.clusters import Clusters, clusters
from service import faults
from service.datasets import store as datasets
from service.datasets.repeated import read_repeated
from service.evaluations import outputs, plans, ratings, shards
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.jobs import FAILED_METRIC
from service.evaluations.outputs import Unanswered
from service.evaluations.plans import Plan
from service.evaluations.store import Evaluation
from service.jobs import counters
from service.jobs.context import Context

log = logging.getLogger(__name__)

MOST_REASONS = 5  # that a warning tells


def close(context: Context, evaluation: str) -> None:
    """Conclude every metric, store all scores at once, end the evaluation."""
    with context.engine.begin() as db:
        row = evaluations.get(db, evaluation)
        if row is None or row.status != "running":
            return
        counts = outputs.counts(db, evaluation)
        warnings = _warnings(
            counts, outputs.failures(db, evaluation), outputs.unanswered(db, evaluation)
        )
        planned = plans.read(db, evaluation)
        closing = closing_of(context, db, row, planned, counts)
    concluded = {one.position for one in planned if one.concluded}  # before it was tried again
    for one in planned:
        if not one.concluded:
            closing.conclude(one)
    with context.engine.begin() as db:
        locked = evaluations.lock(db, evaluation)
        if locked is None or locked.status != "running":
            return
        for position, packed in closing.packed.items():
            results.keep_result(db, evaluation, position, packed)
        results.replace_scores(db, evaluation, closing.rows, kept=concluded)
        evaluations.warn(db, evaluation, warnings)
        for position in closing.bulky:
            shards.drop(db, evaluation, position)
        if closing.packed or concluded:
            evaluations.finish(db, evaluation, "succeeded", _summary(db, evaluation))
        else:
            error = {"code": "all_metrics_failed", "message": "no metric could be computed"}
            evaluations.finish(db, evaluation, "failed", {"error": error}, error)
        counters.add(db, closing.seconds)


def closing_of(
    context: Context,
    db: Connection,
    row: Evaluation,
    planned: Sequence[Plan],
    counts: Mapping[int, int],
) -> Closing:
    """The closing of an evaluation, before anything is concluded; `counts` of outputs a sample."""
    ids = datasets.read_ids(db, row.dataset_id)
    slices = {key: datasets.read_metadata(db, row.dataset_id, key) for key in row.slices}
    cluster, alike = _clusters(db, row, _rated(context, planned))
    return Closing(context, row, ids, counts, slices, cluster, alike)


class Closing:
    """Collects what the closing of one evaluation stores."""

    def __init__(
        self,
        context: Context,
        row: Evaluation,
        ids: Sequence[str],
        counts: Mapping[int, int],
        slices: Mapping[str, Mapping[int, str]],
        cluster: Cluster | None = None,
        alike: Mapping[str, Clusters] | None = None,
    ) -> None:
        self.context = context
        self.row = row
        self.ids = ids
        per_unit = [counts.get(index, 0) for index in range(len(ids))]
        self.unit = np.repeat(np.arange(len(ids), dtype=np.int64), per_unit)
        self.slices = _slices(slices)
        self.cluster = cluster
        self.alike = alike or {}
        self.rows: list[dict[str, Any]] = []
        self.packed: dict[int, bytes] = {}
        self.bulky: list[int] = []
        self.seconds: dict[tuple[str, str], float] = {}

    def conclude(self, one: Plan) -> None:
        """One metric's scores, over the whole set and over every slice."""
        began = time.monotonic()
        try:
            metric = one.bound(self.context.settings.metric_roots)
        except ReportedError as error:  # it could not even be planned: there are no names of scores
            self.add(one, _nameless(one, error, self.row.level, len(self.ids)), "")
            return
        try:
            if one.error is not None:
                raise ReportedError(one.error["message"], one.error.get("param"))
            with self.context.engine.connect() as db:
                found = shards.joined(shards.read(db, self.row.id, one.position))
                numbers = {field: ratings.read(db, self.row, field) for field in metric.fields}
            self.conclude_of(one, metric, with_fields(metric, found, self.unit, numbers))
        except Exception as error:  # whatever it is, the other metrics stand
            if isinstance(error, SQLAlchemyError) or faults.is_outside(error):
                raise  # worth another attempt
            self._fail(one, metric, _reported(one, error))
        self.seconds["conclude_seconds", one.name] = time.monotonic() - began

    def conclude_of(self, one: Plan, metric: BoundMetric, found: Evidence) -> None:
        """The same of this evidence, of all outputs."""
        result = self._result_of(metric, one, found, self.unit, self.ids, self.cluster)
        result = pointed_out(metric, result, self.alike)
        if any(score.value is not None for score in result.scores):
            self.packed[one.position] = pack(result)
            if metric.bulky:
                self.bulky.append(one.position)
        self.add(one, result.scores, "")
        for name, chosen in self.slices.items():
            part, unit = restrict(found, self.unit, chosen)
            ids = [self.ids[index] for index in chosen]
            cluster = self.cluster.take(chosen) if self.cluster is not None else None
            sliced = self._result_of(metric, one, part, unit, ids, cluster)
            self.add(one, sliced.scores, name)

    def _fail(self, one: Plan, metric: BoundMetric, error: ReportedError) -> None:
        """Its scores carry the error; what it had concluded so far is forgotten."""
        self.packed.pop(one.position, None)
        self.bulky = [position for position in self.bulky if position != one.position]
        self.rows = [row for row in self.rows if row["position"] != one.position]
        signature = one.signature or {"name": one.name}
        level = self.row.level
        result = failed(metric, self.ids, signature, error.message, level=level)
        self.add(one, result.scores, "", error)

    def _result_of(
        self,
        metric: BoundMetric,
        one: Plan,
        found: Evidence,
        unit: Ints,
        ids: Sequence[str],
        cluster: Cluster | None,
    ) -> Result:
        self.context.advance()
        return conclude(
            metric,
            found,
            unit,
            ids,
            one.signature or {"name": one.name},
            cluster=cluster,
            seed=self.row.seed,
            replicates=self.row.replicates,
            level=self.row.level,
        )

    def add(
        self,
        one: Plan,
        scores: Sequence[ScoreValue],
        slice_: str,
        error: ReportedError | None = None,
    ) -> None:
        """Scores as they are stored; `error` is of all of them."""
        for score in scores:
            code = error.code if error is not None else FAILED_METRIC
            if one.error is not None:
                code = one.error.get("code", code)
            shown = {"code": code, "message": score.error} if score.error else None
            low, high = score.interval if score.interval is not None else (None, None)
            self.rows.append(
                {
                    "position": one.position,
                    "name": score.name,
                    "slice": slice_,
                    "value": score.value,
                    "low": low,
                    "high": high,
                    "level": score.level,
                    "n": score.n,
                    "missing": score.missing,
                    "higher_is_better": score.higher_is_better,
                    "interval_method": score.interval_method,
                    "signature": score.signature,
                    "warnings": list(score.warnings),
                    "error": shown,
                    "clusters": score.clusters,
                    "design_effect": score.design_effect,
                    "variance": asdict(score.variance) if score.variance else None,
                    "rated": score.rated,
                }
            )


def _rated(context: Context, planned: Sequence[Plan]) -> list[str]:
    """Fields in which people rated outputs: these are outcomes, and no clusters."""
    found: list[str] = []
    for one in planned:
        with suppress(ReportedError):  # told when the metric is concluded
            found += one.bound(context.settings.metric_roots).fields
    return found


def _clusters(
    db: Connection, row: Evaluation, rated: Sequence[str]
) -> tuple[Cluster | None, dict[str, Clusters]]:
    """What samples belong together by, and where nobody said, what they might."""
    if row.cluster is not None:
        names = datasets.read_clusters(db, row.dataset_id, row.cluster)
        return Cluster(row.cluster, names), {}
    found = read_repeated(db, row.dataset_id, without=[*row.slices, *rated])
    return None, {field: clusters(names) for field, names in found.items()}


def _warnings(
    counts: Mapping[int, int], failures: Mapping[str, int], unanswered: Unanswered
) -> list[str]:
    """That outputs are none, or have no answer of their protocol's kind, and why."""
    made = sum(counts.values())
    kinds = (
        (unanswered.refused, "were refused by the model"),
        (unanswered.filtered, "were kept back by a content filter"),
        (unanswered.failed, f"failed, and can be tried again: {unanswered.error}"),
        (unanswered.over_budget, "were not asked for: the budget was spent"),
    )
    found = [f"{count} of {made} outputs {what}" for count, what in kinds if count]
    return [*found, *_without_answer(made, failures)]


def _without_answer(made: int, failures: Mapping[str, int]) -> list[str]:
    if not failures:
        return []
    shown = [f"{why} ({count})" for why, count in list(failures.items())[:MOST_REASONS]]
    more = ", …" if len(failures) > MOST_REASONS else ""
    failed = sum(failures.values())
    return [
        f"{failed} of {made} outputs have no answer, and are scored as empty texts: "
        f"{', '.join(shown)}{more}"
    ]


def _summary(db: Connection, evaluation: str) -> dict[str, Any]:
    """What the last event tells."""
    scores = results.read_scores(db, [evaluation])[evaluation]
    return {"scores": {score.name: score.value for score in scores if not score.slice}}


def _reported(one: Plan, error: Exception) -> ReportedError:
    """The error in words for people; those of one that nobody foresaw are for the log alone."""
    if isinstance(error, ReportedError):
        return error
    log.error("%s cannot be concluded", one.name, exc_info=error)
    return ReportedError(
        f"an internal error stopped it ({type(error).__name__}; the log says more)"
    )


def _nameless(one: Plan, error: ReportedError, level: float, n: int) -> list[ScoreValue]:
    return [
        ScoreValue(one.name, None, None, level, 0, n, True, one.name, "none", (), error.message)
    ]


def _slices(metadata: Mapping[str, Mapping[int, str]]) -> dict[str, Ints]:
    """Indices of the samples with each value of each metadata key, as `lang=ru`."""
    found: dict[str, Ints] = {}
    for key, values in metadata.items():
        groups: dict[str, list[int]] = {}
        for index, value in values.items():
            groups.setdefault(value, []).append(index)
        largest = sorted(groups.items(), key=lambda group: -len(group[1]))[:MOST_SLICES]
        found |= {f"{key}={value}": np.asarray(chosen, np.int64) for value, chosen in largest}
    return found
