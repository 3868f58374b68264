"""The paired jackknife: the same units left out of both systems; Student's t.

For metrics whose resampling with repeats means nothing. The jackknife counts k times what k units
bring about together: an n-gram that two samples share, a cluster's count squared. With V_k the
variance of order k, it estimates Σ k V_k, which is too much, and its tests reject too rarely. The
squares of the differences of order j, added up over all sets of j units, estimate Σ C(k, j) V_k; at
order 2 they are of

    q_ij = θ - θ(without i) - θ(without j) + θ(without both)

and the alternating sum of all orders is the variance. distinct-n counts them (the n-grams that
exactly j samples have); of sums of rows, as MAUVE's, pairs are drawn, and order 2 alone is taken
off. Rejections of true nulls at 5%, distinct_1 to distinct_3 of 100 and 800 samples: 2 to 6%; of
values near 1, that so few n-grams move that they are discrete: less.

Source: Efron & Stein (1981), "The jackknife estimate of variance".
"""

from __future__ import annotations

import numpy as np

from metrics.statistics.influence import Reduce
from metrics.statistics.many import differences_of, least, two_sided
from metrics.statistics.paired import NAN, Difference, around
from metrics.statistics.quantiles import t_quantile
from metrics.statistics.resampling import dear, deviations, evaluate, left_out
from metrics.statistics.weights import Floats, Keys, totals

MOST_EXCESS = 0.75  # of a variance that may be taken off: a quarter is left whatever is estimated
PAIRS = 1500  # of units whose second differences are looked at
CELLS = 1_000_000  # of sums reduced at a time


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
    values_a, left_a = leaving_out(rows_a, keys, reduce, loss_a, grouped)
    values_b, left_b = leaving_out(rows_b, keys, reduce, loss_b, grouped)
    return from_deviations(
        left_a, left_b, values_a, values_b, units=len(keys), variance=variance, level=level
    )


def leaving_out(
    rows: Floats, keys: Keys, reduce: Reduce, loss: Floats | None, grouped: bool
) -> tuple[Floats, Floats]:
    """(S,) a system's values and (G, S) their deviations without each group of units, scaled so
    that their squares add up to the jackknife's variance; those of a difference subtract."""
    values = evaluate(reduce, totals(rows))
    left, sizes = left_out(rows, keys, reduce, loss, grouped)
    return values, deviations(values, left, sizes)


def from_deviations(
    left_a: Floats,
    left_b: Floats,
    values_a: Floats,
    values_b: Floats,
    *,
    units: int,
    variance: Floats | None = None,
    excess: Floats | None = None,
    level: float = 0.95,
) -> tuple[Difference, ...]:
    """The paired jackknife from either system's `leaving_out`; a column may be any pair's.

    excess  (S,) what the jackknife's variance has too much, as a share of it
    """
    values, _ = differences_of(values_a, values_b)
    groups = len(left_a)
    own = ((left_a - left_b) ** 2).sum(0) if groups >= 2 else np.full(len(values), NAN)
    if excess is not None:
        own = own * (1 - np.clip(np.nan_to_num(excess), 0.0, MOST_EXCESS))
    errors = np.sqrt(own + (0.0 if variance is None else variance))
    freedom = max(groups - 1, 1)
    half = t_quantile(0.5 + level / 2, freedom) * errors
    p_values = np.maximum(two_sided(values, errors, groups), least(units))
    bounds = around(values, values - half, values + half)
    columns = zip(values.tolist(), bounds, errors.tolist(), p_values.tolist(), strict=True)
    return tuple(
        Difference(value, interval, level, error, p, units, "paired_jackknife", "t")
        for value, interval, error, p in columns
    )


def second_differences(rows: Floats, keys: Keys, reduce: Reduce) -> Floats:
    """(M, S) q_ij of M pairs of units drawn at random, the same for all systems over the units."""
    n = len(rows)
    draw = np.random.default_rng(0)
    first, step = draw.integers(0, n, PAIRS), draw.integers(1, max(n, 2), PAIRS)
    order = np.argsort(keys, kind="stable")  # the order given is immaterial
    one, other = rows[order[first]], rows[order[(first + step) % n]]
    total = totals(rows)
    size = max(1, CELLS // max(1, rows.shape[1]))
    found = [
        evaluate(reduce, total)
        - evaluate(reduce, total - one[start : start + size])
        - evaluate(reduce, total - other[start : start + size])
        + evaluate(reduce, total - one[start : start + size] - other[start : start + size])
        for start in range(0, PAIRS, size)
    ]
    return np.concatenate(found)


def excess_of(drawn_a: Floats, drawn_b: Floats, left_a: Floats, left_b: Floats) -> Floats:
    """(S,) the share of a difference's variance that is too much, from `second_differences` of
    either system; a column may be any pair's."""
    n = len(left_a)
    second = ((drawn_a - drawn_b) ** 2).mean(0) * n * (n - 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(second / ((left_a - left_b) ** 2).sum(0), np.float64)


def excess_counted(shared_a: Floats, shared_b: Floats, own_a: Floats, own_b: Floats) -> Floats:
    """The same share from what `settle` counted of either system, over the sum of their own
    jackknife variances; of any shape."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((shared_a + shared_b) / (own_a + own_b), np.float64)
