"""Paired tests: is the difference between two systems over the same units real?

    rows_a, rows_b  (n, C)  what the same units, in the same order, add to either system's sums
    keys            (n,)    the units' keys
    difference      (S,)    reduce(sum of rows_a) - reduce(sum of rows_b)

All p-values are two-sided. `paired_bootstrap` is the default for smooth functions of sums,
`approximate_randomization` is exact for exchangeable systems, `paired_jackknife` is for metrics
whose resampling with repeats means nothing (distinct-n, MAUVE). Rejections of a true null at level
5%, over 4,000 pairs of systems, 50 to 300 units, proportions and skewed means: the centred
bootstrap 5.2-5.9%, approximate randomization 2.8-5.5% (the less, the more ties), and 10.9-12.0% for
the usual recipe, which takes absolute values before it centres (`recipe="sacrebleu"`, kept for
comparability).

Sources: Koehn (2004), "Statistical significance tests for machine translation evaluation"; Riezler
& Maxwell (2005), "On some pitfalls in automatic evaluation and significance testing for MT";
Noreen (1989), "Computer-intensive methods for testing hypotheses"; sacrebleu 2.6.0 `significance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.intervals import (
    Reduce,
    dear,
    delete_variance,
    evaluate,
    left_out,
    percentiles,
    replicate,
    t_quantile,
    t_tail,
)
from metrics.statistics.weights import Floats, Keys, swapped_sums, totals

Recipe = Literal["centred", "sacrebleu"]
NAN = float("nan")
TIE = 1e-12  # relative: rounding must not make a replicate less extreme than what it equals


@dataclass(frozen=True, slots=True)
class Difference:
    """What a test found for one score.

    value     a - b
    interval  of the difference, at `level`; None where nothing can be said
    error     standard error of the difference
    p_value   two-sided; NaN where nothing can be said
    units     pairs the test rests on
    test      "paired_bootstrap", "approximate_randomization", "paired_jackknife"
    """

    value: float
    interval: tuple[float, float] | None
    level: float
    error: float
    p_value: float
    units: int
    test: str

    @property
    def p_normal(self) -> float:
        """Two-sided p-value of value / error, as a normal deviate.

        Counted p-values cannot fall below 1 / (R + 1), so that after correction for some dozens of
        comparisons nothing could be significant; this one has no such floor. It is kept above
        2**(1 - n), the least that exchanging n pairs can give.
        """
        if not np.isfinite(self.value) or not np.isfinite(self.error):
            return float("nan")
        if self.value == 0.0:
            return 1.0
        tail = 2 * NormalDist().cdf(-abs(self.value) / self.error) if self.error else 0.0
        return max(tail, _least(self.units))


def paired_bootstrap(
    rows_a: Floats,
    rows_b: Floats,
    keys: Keys,
    reduce: Reduce,
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
    recipe: Recipe = "centred",
) -> tuple[Difference, ...]:
    """One Difference a score: both systems resampled with equal weights; see `from_replicates`."""
    return from_replicates(
        replicate(rows_a, keys, reduce, seed, replicates),
        replicate(rows_b, keys, reduce, seed, replicates),
        evaluate(reduce, totals(rows_a)),
        evaluate(reduce, totals(rows_b)),
        units=len(keys),
        level=level,
        recipe=recipe,
    )


def from_replicates(
    drawn_a: Floats,
    drawn_b: Floats,
    values_a: Floats,
    values_b: Floats,
    *,
    units: int,
    level: float = 0.95,
    recipe: Recipe = "centred",
) -> tuple[Difference, ...]:
    """The paired bootstrap from stored replicates (R, S): no row is touched again.

    Replicates of one seed over the same units are paired already, since weights depend on (seed,
    replicate, unit id) alone. With d the difference and d_r that of replicate r:

        centred    p = (1 + #{r: |d_r - mean(d_r)| >= |d|}) / (R + 1), and at least 2**(1 - n)
        sacrebleu  p = (1 + #{r: |d_r| - mean(|d_r|) > |d|}) / (R + 1)
    """
    if drawn_a.shape != drawn_b.shape:
        raise ValueError(f"replicates do not match: {drawn_a.shape} and {drawn_b.shape}")
    drawn = drawn_a - drawn_b  # (R, S)
    low, high = percentiles(drawn, level)
    values, slack = _differences(values_a, values_b)
    found = []
    for s, value in enumerate(values.tolist()):
        column = drawn[:, s]
        finite = column[np.isfinite(column)]
        enough = units >= 2 and len(finite) >= 2
        p = _bootstrap_p(value, slack[s], finite, units, recipe) if enough else NAN
        found.append(
            Difference(
                value=value,
                interval=_around(value, low[s], high[s]) if enough else None,
                level=level,
                error=float(finite.std(ddof=1)) if enough else NAN,
                p_value=p,
                units=units,
                test="paired_bootstrap",
            )
        )
    return tuple(found)


def approximate_randomization(
    rows_a: Floats,
    rows_b: Floats,
    keys: Keys,
    reduce: Reduce,
    *,
    seed: int = 0,
    trials: int = 10_000,
    replicates: int = 1000,
    level: float = 0.95,
) -> tuple[Difference, ...]:
    """One Difference a score: the units' systems change places at random, T times over.

        p = (1 + #{t: |d_t| >= |d|}) / (T + 1)

    (sacrebleu counts strictly greater ones, so that a system differs significantly from itself.)
    The interval and error, which this test does not yield, are the paired bootstrap's.
    """
    resampled = paired_bootstrap(
        rows_a, rows_b, keys, reduce, seed=seed, replicates=replicates, level=level
    )
    moved = swapped_sums(rows_b - rows_a, keys, seed, trials)  # (T, C)
    total_a, total_b = totals(rows_a), totals(rows_b)
    drawn = evaluate(reduce, total_a + moved) - evaluate(reduce, total_b - moved)  # (T, S)
    values, slack = _differences(evaluate(reduce, total_a), evaluate(reduce, total_b))
    extreme = (np.abs(drawn) >= np.abs(values) - slack).sum(0)
    trials_with_value = np.isfinite(drawn).sum(0)
    p = np.where(np.isfinite(values), (1 + extreme) / (1 + trials_with_value), NAN)
    return tuple(
        replace(one, p_value=float(p[s]), test="approximate_randomization")
        for s, one in enumerate(resampled)
    )


def paired_jackknife(
    rows_a: Floats,
    rows_b: Floats,
    keys: Keys,
    reduce: Reduce,
    *,
    loss_a: Floats | None = None,
    loss_b: Floats | None = None,
    variance: Floats | None = None,
    level: float = 0.95,
) -> tuple[Difference, ...]:
    """One Difference a score: the same units left out of both systems; Student's t.

    The systems may differ in their columns. `variance` (S,) is added to the difference's: the sum
    of what either system's own Settled adds.
    """
    grouped = dear(rows_a, loss_a) or dear(rows_b, loss_b)
    grouped = grouped and loss_a is None and loss_b is None
    left_a, sizes = left_out(rows_a, keys, reduce, loss_a, grouped)
    left_b, _ = left_out(rows_b, keys, reduce, loss_b, grouped)
    values, _ = _differences(evaluate(reduce, totals(rows_a)), evaluate(reduce, totals(rows_b)))
    own = delete_variance(values, left_a - left_b, sizes)
    errors = np.sqrt(own + (0.0 if variance is None else variance))
    freedom = max(len(sizes) - 1, 1)
    half = t_quantile(0.5 + level / 2, freedom) * errors
    found = []
    for value, width, error in zip(values.tolist(), half.tolist(), errors.tolist(), strict=True):
        known = bool(np.isfinite(value) and np.isfinite(error))
        tail = t_tail(value / error, freedom) if known and error else float(value == 0.0)
        found.append(
            Difference(
                value=value,
                interval=(value - width, value + width) if known else None,
                level=level,
                error=error,
                p_value=max(tail, _least(len(keys))) if known else NAN,
                units=len(keys),
                test="paired_jackknife",
            )
        )
    return tuple(found)


def shared(
    ids_a: Sequence[str], ids_b: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the units that both have stand in either, in a's order."""
    places = {one: index for index, one in enumerate(ids_b)}
    pairs = [(index, places[one]) for index, one in enumerate(ids_a) if one in places]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _bootstrap_p(value: float, slack: float, drawn: Floats, units: int, recipe: Recipe) -> float:
    """See `from_replicates`; `drawn` (R,) are one score's differences, finite ones only."""
    if not np.isfinite(value):
        return NAN
    if recipe == "sacrebleu":
        extreme = np.abs(drawn) - np.abs(drawn).mean() > abs(value)
        return (1 + int(extreme.sum())) / (len(drawn) + 1)
    extreme = np.abs(drawn - drawn.mean()) >= abs(value) - slack
    return max((1 + int(extreme.sum())) / (len(drawn) + 1), _least(units))


def _differences(values_a: Floats, values_b: Floats) -> tuple[Floats, Floats]:
    """(S,) a - b, zero where only rounding tells them apart, and (S,) how far rounding reaches."""
    slack = TIE * np.maximum(np.abs(values_a), np.abs(values_b))
    values = values_a - values_b
    return np.where(np.abs(values) <= slack, 0.0, values), slack


def _around(value: float, low: float, high: float) -> tuple[float, float] | None:
    return (float(min(low, value)), float(max(high, value))) if np.isfinite(value) else None


def _least(units: int) -> float:
    """The least two-sided p-value that exchanging n pairs can give."""
    return 2.0 ** (1 - units) if 1 <= units < 1000 else float(units < 1)
