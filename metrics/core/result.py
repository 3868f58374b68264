"""Results: what a set's evidence amounts to, with intervals, and everything to test it by later.

    conclude(metric, evidence, unit, ids, signature_parts) -> Result

What could not be measured is taken out before `settle`: a unit's average is over the outputs that
were measured, and a unit none of whose outputs were has a zero row and counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inference.errors import Cancelled, ReportedError
from inference.sentences import Sentence
from metrics.core import repeats
from metrics.core.clustered import Cluster, Drawing, Spread, over_clusters
from metrics.core.evidence import Evidence
from metrics.core.metric import BoundMetric
from metrics.core.rows import Floats, Ints, Settled
from metrics.core.settling import Mask, measured, restrict, settle, unvoted
from metrics.core.signature import text
from metrics.core.withheld import withheld
from metrics.statistics import intervals, resampling, weights
from metrics.statistics.intervals import Intervals
from metrics.statistics.repeats import Split

NO_SUMS = "not defined for these samples (the sums reduce to {value})"


@dataclass(frozen=True, slots=True)
class Variance:
    """What the variance of a mean, its standard error squared, is made of.

    questions  which samples were asked; halved by twice the samples
    draws      which outputs were drawn for them; halved by twice the outputs a sample
    judge      of `draws`, what the metric's own draws add: halved by twice its repeats
    """

    questions: float
    draws: float
    judge: float | None = None


@dataclass(frozen=True, slots=True)
class ScoreValue:
    """One score of one metric over one set, ready to be shown.

    value      None where there is none; `error` then says why
    interval   (low, high) at `level`, containing the value; None where nothing can be said
    n          units that it is of; `missing` could not be measured
    rated      of a score that goes by people's ratings: units that they rated
    clusters   how many the interval is over; None: units are independent
    design_effect  by how much they multiply the variance that single units would give
    variance   of a score that is a mean of several outputs a unit
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None
    level: float
    n: int
    missing: int
    higher_is_better: bool
    signature: str
    interval_method: str
    warnings: tuple[str, ...] = ()
    error: str | None = None
    clusters: int | None = None
    design_effect: float | None = None
    variance: Variance | None = None
    rated: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A metric's scores, and what comparisons and listings are computed from.

    settled     its rows (n, C), all finite; zero for missing units
    per_sample  (n, S) each unit's own values, NaN where missing; None for set-level metrics
    replicates  (R, S) of the bootstrap; None for metrics whose interval is the jackknife's
    missing     (n,)
    seed        of the replicates: those of one seed are paired
    cluster     the field whose clusters the replicates are drawn by; None: by units
    unvoted    (n,) those of the missing ones that are so by design: see `Flag`; None: none
    """

    scores: tuple[ScoreValue, ...]
    settled: Settled
    per_sample: Floats | None
    replicates: Floats | None
    missing: Mask
    seed: int = 0
    cluster: str | None = None
    unvoted: Mask | None = None


def conclude(
    metric: BoundMetric,
    evidence: Evidence,
    unit: Ints,
    ids: Sequence[str],
    signature_parts: Mapping[str, str],
    *,
    cluster: Cluster | None = None,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Result:
    """The result on a whole set (or a slice: see `restrict`).

    evidence  of n_items outputs
    unit      (n_items,) which of the `ids` each output belongs to
    cluster   what the units belong together by: intervals are over those clusters

    A ReportedError raised on purpose while settling fails this metric's scores, and nothing else.
    """
    drawing: Drawing = {"seed": seed, "replicates": replicates, "level": level}
    try:
        by_design = unvoted(metric, evidence, unit, len(ids))
        evidence, unit, noted = measured(metric, evidence, unit)
        settled, missing, broken = settle(metric, evidence, unit, len(ids))
        noted = (*noted, *broken)
        parts = {**signature_parts, **settled.signature}
        if missing.all():
            why = Sentence.joined(noted or (Sentence("there is nothing to measure"),))
            error = Sentence("no value: {why}", why=why)
            return failed(metric, ids, parts, error, level=level)
        outputs = (evidence, unit)
        found = _of_rows(metric, settled, missing, outputs, noted, ids, parts, cluster, drawing)
        return replace(found, unvoted=by_design)
    except Cancelled:
        raise
    except ReportedError as error:
        return failed(metric, ids, signature_parts, error.message, level=level)


def recomputed(
    metric: BoundMetric,
    result: Result,
    ids: Sequence[str],
    signature_parts: Mapping[str, str],
    *,
    cluster: Cluster | None = None,
    replicates: int,
    level: float,
) -> Result:
    """The result that the rows of a `result` lead to: the same in every digit, if they are its own.

    What takes evidence is lacking: the variance of draws, and warnings of flagged outputs. Raises
    ReportedError where the intervals take it, too.
    """
    settled, parts = result.settled, {**signature_parts, **result.settled.signature}
    drawing: Drawing = {"seed": result.seed, "replicates": replicates, "level": level}
    found = _of_rows(metric, settled, result.missing, None, (), ids, parts, cluster, drawing)
    return replace(found, unvoted=result.unvoted)


def _of_rows(
    metric: BoundMetric,
    settled: Settled,
    missing: Mask,
    outputs: tuple[Evidence, Ints] | None,
    noted: tuple[Sentence, ...],
    ids: Sequence[str],
    parts: Mapping[str, str],
    cluster: Cluster | None,
    drawing: Drawing,
) -> Result:
    """What the rows of units amount to, some of which are missing; `outputs`: their evidence, and
    whose it is, where that is known."""
    counted = np.flatnonzero(~missing)
    own = settled.take(counted)
    if outputs is not None and len(counted) < len(ids):
        outputs = restrict(*outputs, counted)  # of the units that count

    def by_method(given: Settled, names: Sequence[str]) -> Intervals:
        every = np.arange(len(names), dtype=np.int64)
        return _intervals(metric, given, every, names, **drawing)

    over = None
    if cluster is None:
        found = by_method(own, [ids[index] for index in counted.tolist()])
    elif outputs is None and own.loss is not None:
        raise ReportedError("its intervals over clusters take evidence that was not kept")
    else:
        seen = outputs or (Evidence({}, 0), np.zeros(0, np.int64))
        over = over_clusters(metric, own, *seen, cluster.take(counted), by_method, drawing)
        found = over.intervals
    groups = over.found if over else None
    noise = repeats.parts(metric, *outputs, own.rows, groups) if outputs is not None else None
    level, told = drawing["level"], withheld(metric.scores, found)
    scores = _scores(metric, settled, missing, told, noted, parts, level, over, noise)
    per_sample = None
    if not metric.set_level:
        values = metric.per_sample(own.rows)
        per_sample = np.full((len(ids), values.shape[1]), np.nan)
        per_sample[counted] = values
    field = cluster.field if cluster is not None else None
    seed = drawing["seed"]
    return Result(scores, settled, per_sample, found.replicates, missing, seed, field)


def failed(
    metric: BoundMetric,
    ids: Sequence[str],
    signature_parts: Mapping[str, str],
    error: str,
    *,
    level: float = 0.95,
) -> Result:
    """The result of a metric that has none: each of its scores carries the error."""
    scores = tuple(
        ScoreValue(
            name=score.name,
            value=None,
            interval=None,
            level=level,
            n=0,
            missing=len(ids),
            higher_is_better=score.higher_is_better,
            signature=text(signature_parts, score),
            interval_method=metric.interval,
            error=error,
        )
        for score in metric.scores
    )
    nothing = Settled(np.zeros((len(ids), 0)))
    return Result(scores, nothing, None, None, np.ones(len(ids), np.bool_))


def _intervals(
    metric: BoundMetric,
    settled: Settled,
    counted: Ints,
    ids: Sequence[str],
    seed: int,
    replicates: int,
    level: float,
) -> Intervals:
    """By the metric's declared method, over the units that count."""
    rows = settled.rows[counted]
    keys = weights.unit_keys([ids[index] for index in counted.tolist()])
    bounds = metric.bounds(weights.totals(rows))
    if metric.interval == "jackknife":
        return intervals.jackknife(
            rows,
            keys,
            metric.reduce,
            loss=None if settled.loss is None else settled.loss[counted],
            variance=settled.variance,
            bounds=bounds,
            shares=np.full(len(metric.scores), metric.metric.shares),
            level=level,
        )
    if metric.interval == "bootstrap":
        return intervals.bootstrap(
            rows, keys, metric.reduce, seed=seed, replicates=replicates, level=level
        )
    method = intervals.wilson if metric.interval == "wilson" else intervals.bootstrap_t
    return method(
        rows,
        keys,
        metric.reduce,
        seed=seed,
        replicates=replicates,
        level=level,
        bounds=bounds,
    )


def _scores(
    metric: BoundMetric,
    settled: Settled,
    missing: Mask,
    found: Intervals,
    noted: tuple[Sentence, ...],
    parts: Mapping[str, str],
    level: float,
    over: Spread | None,
    own: Split | None,
) -> tuple[ScoreValue, ...]:
    sums = weights.totals(settled.rows)
    values, counts = resampling.evaluate(metric.reduce, sums), units_of(metric, sums)
    absent = int(missing.sum())
    made = []
    for at, (score, value) in enumerate(zip(metric.scores, values.tolist(), strict=True)):
        known = bool(np.isfinite(value))
        low, high = float(found.low[at]), float(found.high[at])
        effect = over.effect[at] if over is not None else np.nan
        units, rated = counts[at]
        remarks = (*found.warnings, *found.notes[at])
        made.append(
            ScoreValue(
                name=score.name,
                value=value if known else None,
                interval=(low, high) if known and np.isfinite(low) and np.isfinite(high) else None,
                level=level,
                n=int(units) if np.isfinite(units) else len(missing) - absent,
                missing=absent,
                higher_is_better=score.higher_is_better,
                signature=text(parts, score),
                interval_method=found.methods[at],
                warnings=(*noted, *settled.warnings, *map(Sentence.of, remarks)),
                error=None if known else Sentence(NO_SUMS, value=value),
                clusters=len(over.found.names) if over is not None else None,
                design_effect=float(effect) if np.isfinite(effect) else None,
                variance=_variance(own, at),
                rated=int(rated) if np.isfinite(rated) else None,
            )
        )
    return tuple(made)


def units_of(metric: BoundMetric, sums: Floats) -> Floats:
    """(n_scores, 2), see `Metric.counts`."""
    if metric.metric.counts is None:
        return np.full((len(metric.scores), 2), np.nan)
    return metric.metric.counts(sums, metric.params)


def _variance(own: Split | None, at: int) -> Variance | None:
    if own is None or not np.isfinite(own.draws[at]):
        return None
    judge = None if own.judge is None else float(own.judge[at])
    return Variance(float(own.questions[at]), float(own.draws[at]), judge)
