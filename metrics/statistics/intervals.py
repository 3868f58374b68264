"""Intervals: how far a value might be from what more of the same units would give.

    rows     (n, C)   float64, finite; the values are reduce(rows.sum(0)); units that count, only
    values   (S,)     one for each score
    bounds   ((S,), (S,))  the scores' ranges, infinite where there is none
    level    the nominal coverage, above 0 and below 1, 0.95 unless told

Each function returns `Intervals`, and each interval contains its value: where the method's own
bounds would not (a proportion of 1, a skewed statistic), they are widened to it. Both bounds are
NaN where nothing can be said, and a sentence says why: of fewer than two units, of units that are
all alike, where one unit decides.

Which method suits which metric is the metric's own declaration; what each covers, by simulation, is
the table in docs/statistics.md (`make statistics`). The tests hold parts of it.

Sources: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", ch. 11 to 13; Busing, Meijer
& van der Leeden (1999), "Delete-m jackknife for unequal m"; those of the files beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metrics.statistics import diagnostics, influence, studentized
from metrics.statistics.influence import Reduce
from metrics.statistics.proportions import Shares, between
from metrics.statistics.quantiles import percentiles, t_quantile
from metrics.statistics.remarks import Remark
from metrics.statistics.resampling import (
    dear,
    delete_variance,
    evaluate,
    left_out,
    replicate,
    replicate_with_errors,
)
from metrics.statistics.weights import Floats, Keys, totals

Bounds = tuple[Floats, Floats]

UNSEEN = 0.05  # of a unit; by simulation what covers phrases that 1 in 20 texts repeats
ROUNDING = 1e-12  # of a value: an error below that is none


@dataclass(frozen=True, slots=True)
class Intervals:
    """Bounds of each score, and what they rest on.

    low, high   (S,) NaN where nothing can be said
    methods     (S,) what was used: "bootstrap" (percentiles), "bootstrap_t", "t", "wilson",
                "wilson_effective_n", "jackknife", "jackknife_wilson"; of few clusters "t"; "none"
    replicates  (R, S) values of the bootstrap's replicates, NaN for an empty draw; None without
    warnings    sentences for the reader, on all scores
    notes       (S,) sentences on each score
    """

    low: Floats
    high: Floats
    methods: tuple[str, ...]
    replicates: Floats | None = None
    warnings: tuple[Remark, ...] = ()
    notes: tuple[tuple[Remark, ...], ...] = ()


def bootstrap(
    rows: Floats,
    keys: Keys,
    reduce: Reduce,
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Intervals:
    """Percentile bootstrap over units, with hashed Poisson weights.

    For smooth functions of many counts, as BLEU's. Replicates without a finite value (no unit
    drawn, a zero denominator) are left out of the percentiles, and counted in a warning.
    """
    values = evaluate(reduce, totals(rows))
    drawn = replicate(rows, keys, reduce, seed, replicates)
    low, high = percentiles(drawn, level)
    pull = influence.influence(rows, totals(rows), reduce)
    known = np.isfinite(pull).all(0)
    equal = np.where(known, ((pull**2).sum(0) == 0.0), low == high) | _constant(drawn, values)
    found = Intervals(
        low,
        high,
        ("bootstrap",) * len(values),
        drawn,
        (*diagnostics.few(len(rows)), *diagnostics.of_replicates(drawn, len(rows), level)),
        diagnostics.notes(pull),
    )
    return _sure(found, values, len(rows), equal, diagnostics.leverage(pull))


def _constant(drawn: Floats, values: Floats) -> NDArray[np.bool_]:
    """(S,) whether replicates (R, S) differ from the values by rounding alone.

    Influence does not tell: at a kink, as where outputs of BLEU are as long as their references,
    differences make one of what is none.
    """
    there = np.isfinite(drawn) & np.isfinite(values)
    apart = np.abs(np.where(there, drawn, 0.0) - np.where(there, values, 0.0)).max(0, initial=0.0)
    return np.asarray(there.any(0) & (apart <= ROUNDING * np.abs(values)))


def bootstrap_t(
    rows: Floats,
    keys: Keys,
    reduce: Reduce,
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
    bounds: Bounds | None = None,
) -> Intervals:
    """Studentized bootstrap over units: for means and ratios of few columns, skewed or not.

    Fewer than 8 units get Student's t; a score without a derivative, percentiles. Units that are
    all alike, or of which one decides, get Wilson's interval where the score is a mean within
    bounds, and none elsewhere.
    """
    return _of_means(rows, keys, reduce, seed, replicates, level, bounds, every=False)


def wilson(
    rows: Floats,
    keys: Keys,
    reduce: Reduce,
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
    bounds: Bounds | None = None,
) -> Intervals:
    """Wilson's score interval of means within bounds (0 and 1 unless told), for few units, too.

    rows  (…, 1): the last column counts the units, or is the size of each where they are clusters

    Values that are all 0 or 1 are a proportion; of fractions (outputs were averaged) and clusters
    the interval rests on their effective number. A score that is no mean of the units' own values
    within its bounds gets `bootstrap_t`. The replicates are always the bootstrap's: paired tests
    want them.
    """
    if bounds is None:
        scores = len(evaluate(reduce, totals(rows)))
        bounds = np.zeros(scores), np.ones(scores)
    return _of_means(rows, keys, reduce, seed, replicates, level, bounds, every=True)


def jackknife(
    rows: Floats,
    keys: Keys,
    reduce: Reduce,
    *,
    loss: Floats | None = None,
    variance: Floats | None = None,
    bounds: Bounds | None = None,
    shares: NDArray[np.bool_] | None = None,
    level: float = 0.95,
) -> Intervals:
    """The error from leaving out one unit (or group) at a time; Student's t.

    Between bounds the interval is Wilson's for as many units as would give a share that variance
    ("jackknife_wilson"): added are half of the largest single part, and what a twentieth of a unit
    from one bound to the other would give, as rare units may be unseen. Where leaving out changes
    nothing, it is that of n units. Without bounds it is value ± t · error, and none where nothing
    changes.

    loss      (n, C) what the sums lose without the unit; its row, unless told
    variance  (S,) added to the jackknife's
    bounds    ((S,), (S,)) the scores' ranges, which the interval keeps to
    shares    (S,) which scores are shares of that range; None: all. Of others, as of a number of
              texts, which may be any up to n, Wilson's would be far too wide: the variance of these
              has the largest single part once more
    """
    values = evaluate(reduce, totals(rows))
    left, sizes = left_out(rows, keys, reduce, loss, dear(rows, loss))
    own = delete_variance(values, left, sizes)
    t = t_quantile(0.5 + level / 2, max(len(sizes) - 1, 1))
    equal = own <= (ROUNDING * np.abs(values)) ** 2
    extra = np.zeros(len(values)) if variance is None else variance
    half = t * np.sqrt(own + extra)
    low, high = values - half, values + half
    methods = ("jackknife",) * len(values)
    if bounds is not None:
        largest = ((left - left.mean(0)) ** 2).max(0, initial=0.0) if len(left) else own
        total = np.where(equal, 0.0, own + largest / 2 + _unseen(len(rows), bounds)) + extra
        ends = between(values, total, bounds, len(rows), t, equal)
        span = bounds[1] - bounds[0]
        inside = np.isfinite(span) & (span > 0) & np.isfinite(own)
        if shares is not None:
            half = np.where(inside & ~shares, t * np.sqrt(own + largest + extra), half)
            low, high, inside = values - half, values + half, inside & shares
        low = np.where(inside, ends[0], np.maximum(low, bounds[0]))
        high = np.where(inside, ends[1], np.minimum(high, bounds[1]))
        equal = equal & ~inside
        methods = tuple("jackknife_wilson" if yes else "jackknife" for yes in inside)
    found = Intervals(low, high, methods, None, diagnostics.few(len(rows)))
    return _sure(found, values, len(rows), equal, np.zeros(len(values)))


def _unseen(n: int, bounds: Bounds) -> Floats:
    """(S,) the variance from a twentieth of a unit more, from one bound to the other; 0 where there
    are none."""
    span = bounds[1] - bounds[0]
    return np.asarray(UNSEEN * (np.where(np.isfinite(span), span, 0.0) / max(n, 1)) ** 2)


def _of_means(
    rows: Floats,
    keys: Keys,
    reduce: Reduce,
    seed: int,
    replicates: int,
    level: float,
    bounds: Bounds | None,
    *,
    every: bool,
) -> Intervals:
    """`wilson` with `every` mean within bounds taken for a share; without, `bootstrap_t`."""
    total, n = totals(rows), len(rows)
    values = evaluate(reduce, total)
    pull = influence.influence(rows, total, reduce)
    equal = np.isfinite(pull).all(0) & ((pull**2).sum(0) == 0.0)
    limits = (np.full(len(values), -np.inf), np.full(len(values), np.inf))
    limits = limits if bounds is None else bounds
    leverage = diagnostics.leverage(pull)
    wanted = equal | (np.nan_to_num(leverage) > diagnostics.DECIDES) | every
    shares = Shares.of(rows, values, evaluate(reduce, rows), limits, equal, wanted)
    low, high, methods = shares.interval(level)
    if shares.are.all():
        drawn = replicate(rows, keys, reduce, seed, replicates)
        warnings = diagnostics.few(n) if n < 2 else ()
    else:
        drawn, errors = replicate_with_errors(rows, keys, reduce, seed, replicates)
        found = studentized.interval(values, pull, drawn, errors, level)
        low = np.where(shares.are, low, np.maximum(found[0], limits[0]))
        high = np.where(shares.are, high, np.minimum(found[1], limits[1]))
        methods = tuple(map(str, np.where(shares.are, methods, found[2])))
        warnings = (*diagnostics.few(n), *diagnostics.of_replicates(drawn, n, level))
    notes = diagnostics.notes(pull, bounded=shares.are)
    given = Intervals(low, high, methods, drawn, warnings, notes)
    return _sure(given, values, n, equal & ~shares.are, np.where(shares.are, 0.0, leverage))


def _sure(
    found: Intervals, values: Floats, n: int, equal: NDArray[np.bool_], leverage: Floats
) -> Intervals:
    """The bounds widened to the value where it lies outside; NaN, with a sentence that says why,
    where units are equal, where one decides, and where the bounds have no end."""
    notes = list(found.notes or ((),) * len(values))
    endless = np.isinf(found.low) | np.isinf(found.high)
    decided = np.nan_to_num(leverage) > diagnostics.DECIDES
    for s in range(len(values)):
        if n < 2:
            notes[s] = ()  # `few` says it
        elif equal[s]:
            notes[s] = (Remark(diagnostics.NOTHING_VARIES, n=n),)
        elif decided[s]:
            notes[s] = (Remark(diagnostics.ONE_DECIDES, n=n, share=leverage[s]),)
        elif endless[s]:
            notes[s] = (Remark(diagnostics.FEW_DIFFER, n=n),)
    unsure = np.asarray(equal | decided | endless | (n < 2))
    low, high = np.minimum(found.low, values), np.maximum(found.high, values)
    return replace(
        found,
        low=np.where(unsure | np.isnan(found.low), np.nan, low),
        high=np.where(unsure | np.isnan(found.high), np.nan, high),
        notes=tuple(notes),
    )
