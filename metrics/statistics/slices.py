"""A part of the units against the rest: is the score really lower there?

    rows     (n, C)  float64; a value is reduce(rows.sum(0)), one of its S scores
    members  (n,)    bool, the units of the part
    groups   (n,)    int64, units that belong together; None: each for itself

The difference's variance is that of the part and that of the rest, each by the units' influence
(`influence`) times n / (n - 1); the interval and the p-value are Welch's. Few units, of skewed
values above all, may show much less variance than there is: a side's variance of a unit is not
taken for less than its own with `BORROWED` more units of the other side's. Of clusters, which may
lie in both, a cluster's influences are added up first, and the degrees of freedom are those of the
clusters.

Rejections of a true null at 5%, 10 / 20 / 50 of 200 units: normal values 2.4 / 4.1 / 4.1,
gamma(0.5) 1.4 / 3.0 / 3.5 (Welch's alone: 13.3 / 9.8 / 6.2), proportions of 0.3 3.7 / 3.2 / 3.7, of
0.05 0.0 / 0.2 / 2.4 (Welch's alone: 60 / 35 / 9.9); three times the rest's deviation 5.3 / 4.5 /
4.8.

Source: Welch (1947), "The generalization of Student's problem"; Efron (1982), ch. 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.influence import Reduce, influence
from metrics.statistics.weights import Floats

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

BORROWED = 10  # units


@dataclass(frozen=True, slots=True)
class Apart:
    """The part's value less the rest's; interval and p-value are None where nothing varies."""

    value: float
    rest: float
    difference: float
    interval: tuple[float, float] | None
    p_value: float | None


def apart(
    rows: Floats,
    members: Mask,
    reduce: Reduce,
    score: int = 0,
    groups: Ints | None = None,
    level: float = 0.95,
) -> Apart | None:
    """One score of the part and of the rest; None where either has no value."""
    from scipy.special import stdtr, stdtrit

    sides = [rows[members], rows[~members]]
    with np.errstate(divide="ignore", invalid="ignore"):
        value, rest = (float(reduce(one.sum(0))[score]) for one in sides)
        moved = [influence(one, one.sum(0), reduce)[:, score] for one in sides]
    if not np.isfinite([value, rest]).all():
        return None
    difference = value - rest
    if groups is None:
        variance, freedom = _welch(*moved)
    else:
        both = np.empty(len(rows))
        both[members], both[~members] = moved[0], -moved[1]
        variance, freedom = _clustered(both, groups)
    if not (variance > 0 and np.isfinite(variance) and freedom >= 1):
        return Apart(value, rest, difference, None, None)
    error = float(np.sqrt(variance))
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    p_value = float(2 * stdtr(freedom, -abs(difference) / error))
    return Apart(value, rest, difference, (difference - reach, difference + reach), p_value)


def _welch(inside: Floats, outside: Floats) -> tuple[float, float]:
    """The difference's variance and its degrees of freedom, of independent units."""
    sizes = np.array([len(inside), len(outside)], np.float64)
    if sizes.min() < 2:
        return np.nan, 0.0
    squares = np.array([inside @ inside, outside @ outside])
    single = squares * sizes * sizes / (sizes - 1)  # of one unit
    mixed = ((sizes - 1) * single + BORROWED * single[::-1]) / (sizes - 1 + BORROWED)
    single = np.maximum(single, mixed)
    parts = single / sizes
    total = float(parts.sum())
    if total == 0.0:
        return 0.0, 0.0
    return total, float(total**2 / (parts**2 / (sizes - 1)).sum())


def _clustered(moved: Floats, groups: Ints) -> tuple[float, float]:
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], moved)
    count = len(sums)
    if count < 2:
        return np.nan, 0.0
    return float(sums @ sums) * count / (count - 1), count - 1.0
