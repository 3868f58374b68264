"""Results: what a set's evidence amounts to, with intervals, and everything to test it by later.

    conclude(metric, evidence, unit, ids, signature_parts) -> Result

What could not be measured is taken out before `settle`: a unit's average is over the outputs that
were measured, and a unit none of whose outputs were has a zero row and counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.errors import Cancelled, ReportedError
from metrics.core.evidence import FLAG, Evidence
from metrics.core.metric import BoundMetric, Score
from metrics.core.rows import Floats, Ints, Settled
from metrics.core.signature import text
from metrics.statistics import intervals, weights
from metrics.statistics.intervals import Intervals

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ScoreValue:
    """One score of one metric over one set, ready to be shown.

    value      None where there is none; `error` then says why
    interval   (low, high) at `level`, containing the value; None where nothing can be said
    n          units that counted; `missing` did not
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


@dataclass(frozen=True, slots=True)
class Result:
    """A metric's scores, and what comparisons and listings are computed from.

    settled     its rows (n, C), all finite; zero for missing units
    per_sample  (n, S) each unit's own values, NaN where missing; None for set-level metrics
    replicates  (R, S) of the bootstrap; None for metrics whose interval is the jackknife's
    missing     (n,)
    seed        of the replicates: those of one seed are paired
    """

    scores: tuple[ScoreValue, ...]
    settled: Settled
    per_sample: Floats | None
    replicates: Floats | None
    missing: Mask
    seed: int = 0


def conclude(
    metric: BoundMetric,
    evidence: Evidence,
    unit: Ints,
    ids: Sequence[str],
    signature_parts: Mapping[str, str],
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Result:
    """The result on a whole set (or a slice: see `restrict`).

    evidence  of n_items outputs
    unit      (n_items,) which of the `ids` each output belongs to

    A ReportedError raised on purpose while settling fails this metric's scores, and nothing else.
    """
    try:
        settled, missing, noted = _settle(metric, evidence, unit, len(ids))
        parts = {**signature_parts, **settled.signature}
        if missing.all():
            why = "; ".join(noted) or "there is nothing to measure"
            return failed(metric, ids, parts, f"no value: {why}", level=level)
        return _of_rows(metric, settled, missing, noted, ids, parts, seed, replicates, level)
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
    replicates: int,
    level: float,
) -> Result:
    """The result that the rows of a `result` lead to: the same in every digit, if they are its own.

    Of the warnings, those are lacking that only the evidence tells of.
    """
    settled, parts = result.settled, {**signature_parts, **result.settled.signature}
    return _of_rows(metric, settled, result.missing, (), ids, parts, result.seed, replicates, level)


def _of_rows(
    metric: BoundMetric,
    settled: Settled,
    missing: Mask,
    noted: tuple[str, ...],
    ids: Sequence[str],
    parts: Mapping[str, str],
    seed: int,
    replicates: int,
    level: float,
) -> Result:
    """What rows amount to of which some count."""
    counted = np.flatnonzero(~missing)
    found = _intervals(metric, settled, counted, ids, seed, replicates, level)
    scores = _scores(metric, settled, missing, found, noted, parts, level)
    per_sample = None
    if not metric.set_level:
        own = metric.per_sample(settled.rows[counted])
        per_sample = np.full((len(ids), own.shape[1]), np.nan)
        per_sample[counted] = own
    return Result(scores, settled, per_sample, found.replicates, missing, seed)


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


def restrict(evidence: Evidence, unit: Ints, chosen: Ints) -> tuple[Evidence, Ints]:
    """The outputs of the `chosen` units (distinct indices), the units renumbered in that order.

    A slice is concluded like a set: what depends on the set (idf, clusters) is settled again.
    """
    place = np.full(max(int(unit.max(initial=-1)), int(chosen.max(initial=-1))) + 1, -1, np.int64)
    place[chosen] = np.arange(len(chosen))
    moved = place[unit]
    items = np.flatnonzero(moved >= 0)
    items = items[np.argsort(moved[items], kind="stable")]
    return evidence.take(items), moved[items]


def _settle(
    metric: BoundMetric, evidence: Evidence, unit: Ints, units: int
) -> tuple[Settled, Mask, tuple[str, ...]]:
    """Rows of all units, which of them are missing, and sentences on what was flagged."""
    if len(evidence) != len(unit):
        raise ValueError(f"{metric.name}: evidence of {len(evidence)} outputs for {len(unit)}")
    unmeasured, noted = _flagged(metric, evidence)
    kept = np.flatnonzero(~unmeasured)
    if len(kept) < len(unit):
        evidence, unit = evidence.take(kept), unit[kept]
    # settle counts units by the largest index: it sees those that have outputs left, numbered anew
    present, compact = np.unique(unit, return_inverse=True)
    missing: Mask = np.ones(units, np.bool_)
    missing[present] = False
    if not len(present):
        return Settled(np.zeros((units, 0))), missing, noted
    settled = metric.settle(evidence, compact.astype(np.int64))
    if len(settled.rows) != len(present):
        raise ValueError(f"{metric.name}: {len(settled.rows)} rows for {len(present)} units")
    rows, loss = settled.rows.astype(np.float64), settled.loss
    checked = rows if loss is None else np.concatenate([rows, loss], axis=1)
    broken: Mask = np.asarray(~np.isfinite(checked).all(1), np.bool_)
    if broken.any():
        rows = np.where(broken[:, None], 0.0, rows)
        loss = None if loss is None else np.where(broken[:, None], 0.0, loss)
        missing[present[broken]] = True
        noted = (*noted, f"{_many(int(broken.sum()), 'unit')}: not a finite number, left out")
    settled = replace(
        settled,
        rows=_scatter(rows, present, units),
        loss=None if loss is None else _scatter(loss, present, units),
    )
    return settled, missing, noted


def _flagged(metric: BoundMetric, evidence: Evidence) -> tuple[Mask, tuple[str, ...]]:
    """(n_items,) which outputs could not be measured, and each flag's message with its count."""
    if FLAG not in evidence:
        return np.zeros(len(evidence), np.bool_), ()
    codes = evidence[FLAG].astype(np.int64)
    unmeasured = np.zeros(len(evidence), np.bool_)
    noted = []
    for code, count in zip(*np.unique(codes[codes != 0], return_counts=True), strict=True):
        if int(code) not in metric.flags:
            raise ValueError(f"{metric.name}: flag {code} is not declared")
        flag = metric.flags[int(code)]
        noted.append(f"{count} of {_many(len(codes), 'output')}: {flag.message}")
        if flag.missing:
            unmeasured |= codes == code
    return unmeasured, tuple(noted)


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
    keys = weights.unit_keys([ids[index] for index in counted])
    if metric.interval == "jackknife":
        scores = metric.scores
        low = np.array([score.low for score in scores])
        high = np.array([score.high for score in scores])
        return intervals.jackknife(
            rows,
            keys,
            metric.reduce,
            loss=None if settled.loss is None else settled.loss[counted],
            variance=settled.variance,
            bounds=(low, high),
            level=level,
        )
    method = intervals.wilson if metric.interval == "wilson" else intervals.bootstrap
    return method(
        rows,
        keys,
        metric.reduce,
        seed=seed,
        replicates=replicates,
        level=level,
    )


def _scores(
    metric: BoundMetric,
    settled: Settled,
    missing: Mask,
    found: Intervals,
    noted: tuple[str, ...],
    parts: Mapping[str, str],
    level: float,
) -> tuple[ScoreValue, ...]:
    values = intervals.evaluate(metric.reduce, weights.totals(settled.rows))
    absent = int(missing.sum())

    def show(score: Score, value: float, low: float, high: float, method: str) -> ScoreValue:
        known = bool(np.isfinite(value))
        return ScoreValue(
            name=score.name,
            value=value if known else None,
            interval=(low, high) if known and np.isfinite(low) and np.isfinite(high) else None,
            level=level,
            n=len(missing) - absent,
            missing=absent,
            higher_is_better=score.higher_is_better,
            signature=text(parts, score),
            interval_method=method,
            warnings=(*noted, *settled.warnings, *found.warnings),
            error=None if known else f"not defined for these samples (the sums reduce to {value})",
        )

    bounds = found.low.tolist(), found.high.tolist()
    return tuple(map(show, metric.scores, values.tolist(), *bounds, found.methods))


def _scatter(rows: Floats, present: Ints, units: int) -> Floats:
    """(units, C) the rows of the units that are `present`, zeros elsewhere."""
    if len(present) == units:
        return rows
    full = np.zeros((units, rows.shape[1]), np.float64)
    full[present] = rows
    return full


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
