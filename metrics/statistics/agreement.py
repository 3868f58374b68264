"""Agreement of raters: Krippendorff's alpha, Fleiss' and Cohen's kappa, percent agreement.

    values  (N, J)  what each of J raters says of each of N units; NaN where it says nothing

Each is 1 where all agree. Alpha and the kappas are 0 where raters agree as often as chance would
have it, below 0 where they agree less, and NaN where all values are the same; percent agreement
(from 0 to 1) knows no chance. A unit with fewer than two values says nothing.

    krippendorff  1 - observed / expected disagreement. The distance of two values is their
                  difference squared ("interval"), or whether they are unlike ("nominal"), or how
                  many values lie between them ("ordinal")
    fleiss        of nominal values: chance draws from the values of all raters together
    cohen         of two raters: chance draws from each one's own values
    percent       the share of pairs of raters that say the same, a unit's mean each

Intervals are of units drawn anew, by corrected percentiles of resamples (BCa); of percent
agreement Wilson's.
docs/statistics.md says what they cover. Numbers are those of the packages `krippendorff` and
`statsmodels`; where Fleiss' kappa meets units with unlike numbers of raters, which the latter does
not take, each unit counts once and each value once.

Sources: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability"; Hayes & Krippendorff
(2007), "Answering the call for a standard reliability measure for coding data"; Fleiss (1971),
"Measuring nominal scale agreement among many raters"; Cohen (1960), "A coefficient of agreement for
nominal scales"; (1968), "Weighted kappa".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from metrics.statistics.estimates import Estimate, bootstrapped, mean_share
from metrics.statistics.weights import Floats

Distance = Literal["interval", "nominal", "ordinal"]
Weighting = Literal["none", "linear", "quadratic"]
MOST_LEVELS = 1000  # distinct values, above which they are put in bins of this number
ROUNDING = 1e-12  # relative: less variance than that is none

WEIGHTINGS: Mapping[Weighting, Callable[[Floats], Floats]] = {
    "none": lambda apart: (apart != 0).astype(np.float64),
    "linear": np.abs,
    "quadratic": np.square,
}


def alpha(values: Floats, distance: Distance = "interval") -> float:
    """Krippendorff's alpha; NaN where no unit has two values, or all values are the same."""
    counts, levels = _counted(values)
    if not len(counts):
        return float("nan")
    return float(_alphas(counts, levels, distance, np.ones((1, len(counts))))[0])


def interval(
    values: Floats,
    distance: Distance = "interval",
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Where alpha may lie, were other units rated; NaN where nothing can be said."""
    found = krippendorff(values, distance, seed=seed, replicates=replicates, level=level)
    return found.low, found.high


def krippendorff(
    values: Floats,
    distance: Distance = "interval",
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """Krippendorff's alpha with its interval."""
    counts, levels = _counted(values)
    return bootstrapped(
        lambda weights: _alphas(counts, levels, distance, weights),
        len(counts),
        seed=seed,
        replicates=replicates,
        level=level,
    )


def fleiss(
    values: Floats, *, seed: int = 0, replicates: int = 1000, level: float = 0.95
) -> Estimate:
    """Fleiss' kappa of nominal values, with its interval."""
    counts, _ = _counted(values)
    same = _alike(counts)

    def kappa(weights: Floats) -> Floats:
        observed = weights @ same / weights.sum(1)
        each = weights @ counts
        by_chance = ((each / each.sum(1, keepdims=True)) ** 2).sum(1)
        return _beyond(1 - observed, 1 - by_chance)

    return bootstrapped(kappa, len(counts), seed=seed, replicates=replicates, level=level)


def cohen(
    first: Floats,
    second: Floats,
    weighting: Weighting = "none",
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """Cohen's kappa of two raters' values (N,), with its interval.

    weighting  what two values that differ by d cost: 1 unless d = 0 ("none"), |d| or d²
    """
    both = np.isfinite(first) & np.isfinite(second)
    levels, index = np.unique(np.r_[first[both], second[both]], return_inverse=True)
    given = np.eye(len(levels))[index]  # (2 n, L)
    left, right = np.split(given, 2)
    cost = WEIGHTINGS[weighting]
    apart, between = cost(first[both] - second[both]), cost(levels[:, None] - levels)

    def kappa(weights: Floats) -> Floats:
        n = weights.sum(1)
        by_chance = ((weights @ left @ between) * (weights @ right)).sum(1)
        return _beyond(weights @ apart / n, by_chance / n**2)

    return bootstrapped(kappa, len(apart), seed=seed, replicates=replicates, level=level)


def percent(values: Floats, *, level: float = 0.95) -> Estimate:
    """The share of pairs of raters of a unit that say the same, the mean over units."""
    counts, _ = _counted(values)
    return mean_share(_alike(counts), level)


def _counted(values: Floats) -> tuple[Floats, Floats]:
    """(n, L) how often each unit with two values or more got each level, and the levels (L,)."""
    values = values[np.isfinite(values).sum(1) > 1]
    there = np.isfinite(values)
    levels, index = np.unique(values[there], return_inverse=True)
    if len(levels) > MOST_LEVELS:
        cuts = np.unique(np.quantile(levels, np.linspace(0, 1, MOST_LEVELS)))
        levels, index = cuts, np.searchsorted(cuts, values[there])
    counts = np.zeros((len(values), len(levels)))
    np.add.at(counts, (np.nonzero(there)[0], index), 1.0)
    return counts, levels


def _alike(counts: Floats) -> Floats:
    """(n,) of each unit the share of its pairs of values that are the same."""
    many = counts.sum(1)
    return np.asarray(((counts**2).sum(1) - many) / (many * (many - 1)), np.float64)


def _alphas(counts: Floats, levels: Floats, distance: Distance, weights: Floats) -> Floats:
    """(R,) alpha with each unit counted as often as weights (R, n) say.

    Where values have places on a line, disagreement is their variance: an ordinal value's place is
    how many values are below it, with half of its like, which depends on the units drawn.
    """
    many = counts.sum(1)
    each = weights @ counts  # (R, L)
    n = each.sum(1)
    if distance == "nominal":
        apart = (1 - _alike(counts)) * many
        return _beyond(weights @ apart * (n - 1), n**2 - (each**2).sum(1))
    ordinal = distance == "ordinal"
    places = np.cumsum(each, 1) - each / 2 if ordinal else (levels - levels.mean())[None]
    sums, squares = places @ counts.T, places**2 @ counts.T  # (R or 1, n)
    apart = (many * squares - sums**2) / (many - 1)
    observed = (weights * apart).sum(1)
    total, square = (each * places).sum(1), (each * places**2).sum(1)
    expected = n * square - total**2
    return _beyond(observed * (n - 1), np.where(expected > ROUNDING * n * square, expected, 0.0))


def _beyond(observed: Floats, expected: Floats) -> Floats:
    """(R,) 1 - observed / expected; NaN where nothing else is to be expected."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)
