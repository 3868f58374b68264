"""How far two numbers of the same units agree: Pearson, Spearman, Kendall, with intervals.

    x, y    (n,)  float64
    groups  (n,)  int64, units that belong together; None: each for itself

Kendall's is tau-b: ties in either lower what is possible, not what is found.

An interval is of Fisher's z = atanh(r), whose standard error is the jackknife's over groups (at
most `MOST_GROUPS`, into which units are dealt where there are more), by Student's t. It contains
the value and stays within -1 and 1; none where the value is not defined, is ±1, or fewer than
`FEWEST` groups are there.

Coverage at 95%, normal values of correlation 0.6, n = 20 / 50 / 200: Pearson 95.2 / 94.3 / 95.5,
Spearman 96.3 / 95.8 / 96.0, Kendall 96.3 / 96.0 / 96.5.

Source: Kendall (1945), "The treatment of ties in ranking problems"; Fisher (1921); Efron (1982),
ch. 3, for the jackknife.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.weights import Floats

Ints = NDArray[np.int64]
Statistic = Callable[[Floats, Floats], float]

MOST_GROUPS = 200
FEWEST = 5
CELLS = 2_000_000  # units times groups that are looked at: fewer groups of many units


@dataclass(frozen=True, slots=True)
class Correlation:
    """A coefficient with its interval; None where there is none."""

    value: float | None
    interval: tuple[float, float] | None


def pearson(x: Floats, y: Floats) -> float:
    """The linear correlation; NaN where either is constant."""
    a, b = x - x.mean(), y - y.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    # what rounding leaves of a constant is no variation
    if np.ptp(x) == 0.0 or np.ptp(y) == 0.0 or scale == 0.0:
        return float("nan")
    return float(np.clip((a @ b) / scale, -1.0, 1.0))


def spearman(x: Floats, y: Floats) -> float:
    """The linear correlation of ranks, ties at their mean."""
    from scipy.stats import rankdata

    return pearson(rankdata(x), rankdata(y))


def kendall(x: Floats, y: Floats) -> float:
    """Tau-b; NaN where either is constant."""
    from scipy.stats import kendalltau

    return float(kendalltau(x, y, method="asymptotic").statistic)


COEFFICIENTS: Mapping[str, Statistic] = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
}


def correlations(
    x: Floats, y: Floats, groups: Ints | None = None, level: float = 0.95
) -> dict[str, Correlation]:
    """Each of the coefficients, over units that have both numbers."""
    dealt = deal(len(x), groups)
    return {name: correlation(one, x, y, dealt, level) for name, one in COEFFICIENTS.items()}


def deal(n: int, groups: Ints | None = None) -> Ints:
    """(n,) the group of each unit, numbered from 0: its own, dealt round where there are many."""
    own = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    most = int(np.clip(CELLS // max(n, 1), 20, MOST_GROUPS))
    count = int(own.max(initial=-1)) + 1
    if count <= most:
        return np.asarray(own, np.int64)
    places = np.random.default_rng(0).permutation(count) % most
    return np.asarray(places[own], np.int64)


def correlation(
    statistic: Statistic, x: Floats, y: Floats, dealt: Ints, level: float = 0.95
) -> Correlation:
    """One coefficient, its interval over the groups that `deal` made."""
    if len(x) < 2:
        return Correlation(None, None)
    return coefficient(lambda kept: statistic(x[kept], y[kept]), dealt, level)


def coefficient(
    statistic: Callable[[NDArray[np.bool_]], float],
    dealt: Ints,
    level: float = 0.95,
    low: float = -1.0,
) -> Correlation:
    """Any number between `low` and 1 of the units that a mask keeps, with its interval."""
    from scipy.special import stdtrit

    value = statistic(np.ones(len(dealt), np.bool_))
    if not np.isfinite(value):
        return Correlation(None, None)
    middle, half = (1 + low) / 2, (1 - low) / 2

    def z(found: float) -> float:
        return float(np.arctanh((found - middle) / half))

    with np.errstate(divide="ignore", invalid="ignore"):
        error = jackknife(lambda kept: z(statistic(kept)), dealt)
        if not np.isfinite([z(value), error]).all():
            return Correlation(value, None)
    reach = float(stdtrit(int(dealt.max()), (1 + level) / 2)) * error
    ends = middle + half * np.tanh(z(value) + np.array([-reach, reach]))
    return Correlation(value, (min(float(ends[0]), value), max(float(ends[1]), value)))


def jackknife(statistic: Callable[[NDArray[np.bool_]], float], dealt: Ints) -> float:
    """The standard error of a statistic of the units that a mask keeps, leaving out one group at a
    time; NaN with fewer than `FEWEST` groups, or where a group decides whether it is defined."""
    count = int(dealt.max(initial=-1)) + 1
    if count < FEWEST:
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.array([statistic(dealt != group) for group in range(count)])
        return float(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))
