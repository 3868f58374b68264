"""The exchange test, or approximate randomisation: two systems swap their rows of random units.

    rows    (n, C)  of either system; the values are reduce(rows.sum(0))
    moved   (T, C)  what a system's rows come to, of the units that change places in each trial

For scores that are not smooth where systems often are, as the sum of absolute gaps is where there
is no gap: leaving units out then tells the variance to first order, which is too much, and second
differences, by which smooth scores are put right, far too much of what to take off. Exchanging is
exact for systems that are alike. So that mixtures of two are as far off as these, their columns may
be taken in other `orders` that leave their values as they are: two systems that are wrong in
opposite ways would cancel out in every mixture.

    error   √((T-mean of d_t² · n - d²) / (n - 1)), d_t the difference in trial t, d the one found;
            of means, that of the paired t-test
    p       two-sided, of Student's t with n - 1 degrees at d / error

Source: Noreen (1989), "Computer-intensive methods for testing hypotheses"; Pitman (1937).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.influence import Reduce
from metrics.statistics.many import two_sided
from metrics.statistics.paired import Difference, around
from metrics.statistics.quantiles import t_quantile
from metrics.statistics.resampling import evaluate
from metrics.statistics.weights import Floats, Keys, swapped_sums, totals

Ints = NDArray[np.int64]

TRIALS = 1000
FEWEST, ALL_TRIALS = 100, 400_000  # of a pair, of all pairs of a board together


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A system as it is exchanged: its sums (C,), and what changes places of them (T, C)."""

    total: Floats
    moved: Floats


def exchanged(rows: Floats, keys: Keys, *, seed: int = 0, trials: int = TRIALS) -> Exchanged:
    """Of units with these keys: alike for all systems over the same units."""
    return Exchanged(totals(rows), swapped_sums(rows, keys, seed, trials))


def errors(
    a: Exchanged, b: Exchanged, orders: tuple[Ints, Ints], reduce: Reduce, units: int
) -> Floats:
    """(S,) standard errors of the differences of two systems; NaN with fewer than two units.

    orders  (C,), (C,) in which their columns are taken
    """
    values = evaluate(reduce, a.total) - evaluate(reduce, b.total)
    if units < 2:
        return np.full(len(values), np.nan)
    one, other = orders
    gained = b.moved[:, other] - a.moved[:, one]
    drawn = evaluate(reduce, a.total[one] + gained) - evaluate(reduce, b.total[other] - gained)
    there = np.isfinite(drawn)  # (T, S)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = (np.where(there, drawn, 0.0) ** 2).sum(0) / there.sum(0)
        left = np.maximum(units * squares - values**2, 0.0)
        return np.asarray(np.sqrt(left / (units - 1)), np.float64)


def of_errors(
    values: Floats, standard_errors: Floats, *, units: int, level: float = 0.95
) -> tuple[Difference, ...]:
    """One Difference a score, of differences (S,) with their standard errors (S,)."""
    half = t_quantile(0.5 + level / 2, max(units - 1, 1)) * standard_errors
    bounds = around(values, values - half, values + half)
    p_values = two_sided(values, standard_errors, units)
    columns = zip(values.tolist(), bounds, standard_errors.tolist(), p_values.tolist(), strict=True)
    return tuple(
        Difference(value, interval, level, error, p, units, "exchange", "t")
        for value, interval, error, p in columns
    )


def trials_of(pairs: int) -> int:
    """Of each of so many pairs: 100 tell an error to 7%, 1,000 to 2%."""
    return int(np.clip(ALL_TRIALS // max(pairs, 1), FEWEST, TRIALS))
