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

MAUVE varies the less, the nearer to a bound: each system's deviations count by its `slopes`. Not so
F1 and MCC, few of whose samples differ: by slopes 16 to 35% of true nulls were rejected, of 20 and
50 samples, 97% of them right. What is added to the jackknife's variance (MAUVE: over clusterings)
is estimated from few, so the degrees of freedom are those of a sum of estimates: `spread`.

Sources: Efron & Stein (1981), "The jackknife estimate of variance"; Satterthwaite (1946), "An
approximate distribution of estimates of variance components".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from metrics.statistics.influence import Reduce
from metrics.statistics.many import differences_of, least, two_sided
from metrics.statistics.paired import Difference, around
from metrics.statistics.resampling import dear, deviations, evaluate, left_out
from metrics.statistics.weights import Floats, Keys, totals

MOST_EXCESS = 0.75  # of a variance that may be taken off: a quarter is left whatever is estimated
MOST_SLOPE = 2.0  # at a bound it has no end
PAIRS = 1500  # of units whose second differences are looked at
CELLS = 1_000_000  # of sums reduced at a time


@dataclass(frozen=True, slots=True)
class Deleted:
    """Values of systems, and what leaving units out does to them; P are systems, scores or both.

    value     (P,)
    place     (P,) where it is between its bounds, 0 to 1; NaN where that does not count
    moved     (G, P) deviations: see `leaving_out`
    own       (P,) the jackknife's variance
    second    (M, P) `second_differences`; None: not known
    shared    (P,) what is too much of `own`, beside what second differences show of it
    variance  (P,) added to `own`, estimated with `freedom` (P,) degrees; infinite: it is known
    """

    value: Floats
    place: Floats
    moved: Floats
    own: Floats
    second: Floats | None
    shared: Floats
    variance: Floats
    freedom: Floats

    @classmethod
    def stack(cls, systems: Sequence[Deleted]) -> Deleted:
        """(..., N, S) of N systems with S values each."""
        second = [one.second for one in systems if one.second is not None]
        return cls(
            value=np.stack([one.value for one in systems]),
            place=np.stack([one.place for one in systems]),
            moved=np.stack([one.moved for one in systems], 1),
            own=np.stack([one.own for one in systems]),
            second=np.stack(second, 1) if len(second) == len(systems) else None,
            shared=np.stack([one.shared for one in systems]),
            variance=np.stack([one.variance for one in systems]),
            freedom=np.stack([one.freedom for one in systems]),
        )

    def map(self, change: Callable[[Floats], Floats]) -> Deleted:
        """Every array changed alike, whatever axes come before P."""
        return Deleted(
            value=change(self.value),
            place=change(self.place),
            moved=change(self.moved),
            own=change(self.own),
            second=None if self.second is None else change(self.second),
            shared=change(self.shared),
            variance=change(self.variance),
            freedom=change(self.freedom),
        )


def deleted(
    rows: Floats,
    keys: Keys,
    reduce: Reduce,
    *,
    loss: Floats | None = None,
    grouped: bool = False,
    bounds: tuple[Floats, Floats] | None = None,
    shared: Floats | None = None,
    variance: Floats | None = None,
    freedom: float | None = None,
) -> Deleted:
    """One system's values (S,), and what leaving units out does to them.

    loss     (n, C) what the sums lose without a unit; None: its row
    grouped  whether groups are left out, see `resampling.left_out`
    bounds   the values' ranges (S,), (S,), where values vary the less, the nearer to them
    """
    values, moved = leaving_out(rows, keys, reduce, loss, grouped)
    nothing = np.zeros(len(values))
    place = np.full(len(values), np.nan)
    if bounds is not None:
        low, high = bounds
        place = np.clip((values - low) / (high - low), 0.0, 1.0)
    return Deleted(
        value=values,
        place=place,
        moved=moved,
        own=(moved**2).sum(0),
        second=None if loss is not None or grouped else second_differences(rows, keys, reduce),
        shared=nothing if shared is None else shared,
        variance=nothing if variance is None else variance,
        freedom=np.full(len(values), np.inf if freedom is None else freedom),
    )


def paired_jackknife(
    rows_a: Floats, rows_b: Floats, keys: Keys, reduce: Reduce, *, level: float = 0.95
) -> tuple[Difference, ...]:
    """One Difference a score of two systems, which may differ in their columns, taken for smooth:
    nothing comes off the jackknife's variance."""
    grouped = dear(rows_a, None) or dear(rows_b, None)
    a, b = (
        replace(deleted(rows, keys, reduce, grouped=grouped), second=None)
        for rows in (rows_a, rows_b)
    )
    return differences(a, b, units=len(keys), level=level)


def differences(
    a: Deleted, b: Deleted, *, units: int, level: float = 0.95
) -> tuple[Difference, ...]:
    """The paired jackknife; P may be any pairs'."""
    from scipy.special import stdtrit

    values, _ = differences_of(a.value, b.value)
    errors, freedom = errors_of_differences(a, b)
    half = stdtrit(freedom, 0.5 + level / 2) * errors
    p_values = np.maximum(two_sided(values, errors, len(a.moved), freedom), least(units))
    bounds = around(values, values - half, values + half)
    columns = zip(values.tolist(), bounds, errors.tolist(), p_values.tolist(), strict=True)
    return tuple(
        Difference(value, interval, level, error, p, units, "paired_jackknife", "t")
        for value, interval, error, p in columns
    )


def errors_of_differences(a: Deleted, b: Deleted) -> tuple[Floats, Floats]:
    """(P,) standard errors of two systems' differences, and (P,) their degrees of freedom."""
    slope_a, slope_b = slopes(a, b)
    own = ((slope_a * a.moved - slope_b * b.moved) ** 2).sum(0)
    second = None
    if a.second is not None and b.second is not None:
        second = ((slope_a * a.second - slope_b * b.second) ** 2).mean(0)
    return spread(a, b, own, second)


def slopes(a: Deleted, b: Deleted) -> tuple[Floats, Floats]:
    """By how much either system's deviations count in the difference; of any shape.

    The slope of arcsin √place at the system's value, over that of the secant to the other's; at
    most MOST_SLOPE. 1 without a place, and of equal values. What the value nearer to a bound varies
    by says too little of the difference, what the farther one does too much.
    """
    gap, _ = differences_of(a.place, b.place)
    with np.errstate(divide="ignore", invalid="ignore"):
        turn_a, turn_b = (np.arctan2(np.sqrt(x), np.sqrt(1 - x)) for x in (a.place, b.place))
        secant = (turn_a - turn_b) / np.where(gap == 0.0, np.nan, gap)
        steep_a, steep_b = (0.5 / np.sqrt(x * (1 - x)) / secant for x in (a.place, b.place))
    return _slope(steep_a), _slope(steep_b)


def _slope(steep: Floats) -> Floats:
    return np.where(np.isnan(steep), 1.0, np.minimum(steep, MOST_SLOPE))


def spread(a: Deleted, b: Deleted, own: Floats, second: Floats | None) -> tuple[Floats, Floats]:
    """Standard errors of differences, and their degrees of freedom (Satterthwaite's); of any shape.

    own     sums of squares of the deviations' differences
    second  means of squares of the second differences' differences; None: what `shared` tells is a
            share of the two systems' own variances
    """
    groups = len(a.moved)
    slope_a, slope_b = (slope**2 for slope in slopes(a, b))
    if second is None:
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = own * (a.shared + b.shared) / (a.own + b.own)
    else:
        excess = second * groups * (groups - 1) / 2 + (slope_a * a.shared + slope_b * b.shared)
    left = own - np.clip(np.nan_to_num(excess), 0.0, MOST_EXCESS * own)
    more_a, more_b = slope_a * a.variance, slope_b * b.variance
    whole, plain = left + (more_a + more_b), max(groups - 1, 1)
    squares = left**2 / plain + (more_a**2 / a.freedom + more_b**2 / b.freedom)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = whole**2 / squares
    return np.sqrt(whole), np.where(np.isnan(freedom), plain, freedom)


def leaving_out(
    rows: Floats, keys: Keys, reduce: Reduce, loss: Floats | None, grouped: bool
) -> tuple[Floats, Floats]:
    """(S,) a system's values and (G, S) their deviations without each group of units, scaled so
    that their squares add up to the jackknife's variance; those of a difference subtract."""
    values = evaluate(reduce, totals(rows))
    left, sizes = left_out(rows, keys, reduce, loss, grouped)
    return values, deviations(values, left, sizes)


def second_differences(rows: Floats, keys: Keys, reduce: Reduce) -> Floats:
    """(M, S) q_ij of M pairs of units drawn at random, the same for all systems over the units."""
    n = len(rows)
    draw = np.random.default_rng(0)
    first, step = draw.integers(0, n, PAIRS), draw.integers(1, max(n, 2), PAIRS)
    order = np.argsort(keys, kind="stable")  # the order given is immaterial
    one, other = order[first], order[(first + step) % n]
    single, place = np.unique(np.concatenate([one, other]), return_inverse=True)
    total, size = totals(rows), max(1, CELLS // max(1, rows.shape[1]))

    def without(lost: Callable[[slice], Floats], count: int) -> Floats:
        """Values without each of so many rows, or sums of two, as many at a time as fit."""
        parts = [slice(start, start + size) for start in range(0, count, size)]
        return np.concatenate([evaluate(reduce, total - lost(part)) for part in parts])

    alone = without(lambda part: rows[single[part]], len(single))[place]
    both = without(lambda part: rows[one[part]] + rows[other[part]], PAIRS)
    return evaluate(reduce, total) - alone[:PAIRS] - alone[PAIRS:] + both
