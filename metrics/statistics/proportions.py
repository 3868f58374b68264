"""Intervals of shares: means of values between 0 and 1, and what lies between two bounds.

A mean p of values in 0..1 has at most the variance p (1 - p) / n of a proportion. Wilson's interval
with the number n' of 0/1 units that would have the variance found is then as good for fractions,
and stays sensible near the bounds, where the sample shows too little variance or none.

    effective n   n' = n p̃ (1 - p̃) / s̃²,  p̃ and s̃² over the sample and half a unit more: a quarter
                  each of 0 and 1. Of 0/1 values n' = n; of values that are all 0 or all 1 too.

All of one value: the interval is Wilson's for n units, about 1 ± 3.8 / n at the ends (the "rule of
three" gives 3 / n, one-sided).

Sources: Wilson (1927); Korn & Graubard (1998), "Confidence intervals for proportions with small
expected number of positive counts estimated from survey data" (effective sample size).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.quantiles import t_quantile
from metrics.statistics.weights import Floats

ROUNDING = 1e-9  # of the bounds' distance
PRIOR = 0.5  # units added: by simulation the least that keeps coverage near 0 and 1


def score_interval(share: Floats, n: Floats, z: float | Floats) -> tuple[Floats, Floats]:
    """Wilson's bounds of shares (S,) that rest on n (S,) units, within 0..1; z is the quantile."""
    spread = z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = np.sqrt(np.maximum(share * (1 - share), 0.0) * spread + spread**2 / 4) / (1 + spread)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def effective_n(shares: Floats, weights: Floats) -> Floats:
    """(S,) of units' shares (n, S) in 0..1, which count by their weights (n,) > 0.

    The weights are 1, or the sizes of clusters: alike units of a cluster make n' smaller.
    """
    n = len(shares)
    relative = (weights / weights.mean())[:, None]  # (n, 1)
    mean = (relative * shares).sum(0) / n
    middle = (n * mean + PRIOR / 2) / (n + PRIOR)
    squares = ((relative * (shares - middle)) ** 2).sum(0)
    squares += PRIOR / 2 * (middle**2 + (1 - middle) ** 2)
    return np.asarray(n * middle * (1 - middle) / (squares / (n + PRIOR)), np.float64)


@dataclass(frozen=True, slots=True)
class Shares:
    """Scores as shares: which of them are means of units' values within bounds.

    are      (S,) whether to take the score for one
    shares   (n, S) each unit's place between the bounds, 0 where the score is none
    weights  (n,) what the units count: 1, or the sizes of clusters
    """

    values: Floats
    bounds: tuple[Floats, Floats]
    are: NDArray[np.bool_]
    shares: Floats
    weights: Floats
    equal: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        rows: Floats,
        values: Floats,
        own: Floats,
        bounds: tuple[Floats, Floats],
        equal: NDArray[np.bool_],
        wanted: NDArray[np.bool_],
    ) -> Shares:
        """Of rows (n, C) that are counted by their last column, and each unit's own values (n, S).

        equal   (S,) whether all units have the same value
        wanted  (S,) whether to take the score for a share where it is one
        """
        weights, (low, high) = rows[:, -1], bounds
        span = high - low
        bounded = np.isfinite(span) & (span > 0)
        span, low = np.where(bounded, span, 1.0), np.where(bounded, low, 0.0)
        with np.errstate(all="ignore"):
            shares = (own - low) / span
            off = np.abs(weights @ own / weights.sum() - values)
        inside = ((shares >= -ROUNDING) & (shares <= 1 + ROUNDING)).all(0)
        counted = len(rows) >= 2 and bool((weights > 0).all())
        are = bounded & inside & (off <= ROUNDING * np.maximum(span, 1.0)) & wanted
        are &= counted
        shares = np.clip(np.where(are, shares, 0.0), 0.0, 1.0)
        return cls(values, (low, low + span), are, shares, weights, equal)

    def interval(self, level: float) -> tuple[Floats, Floats, tuple[str, ...]]:
        """(S,), (S,) Wilson's bounds and (S,) methods; NaN and none where the score is no share."""
        n, (low, high) = len(self.shares), self.bounds
        if not self.are.any():
            nothing = np.full(len(self.values), np.nan)
            return nothing, nothing, ("",) * len(self.values)
        whole = ((self.shares == 0.0) | (self.shares == 1.0)).all(0)
        plain = (whole & bool((self.weights == 1.0).all())) | self.equal
        size = np.where(plain, float(n), effective_n(self.shares, self.weights))
        normal, t = NormalDist().inv_cdf(0.5 + level / 2), t_quantile(0.5 + level / 2, n - 1)
        share = np.clip(np.where(self.are, (self.values - low) / (high - low), 0.5), 0.0, 1.0)
        ends = score_interval(share, size, np.where(plain, normal, t))
        first, last = (np.where(self.are, low + (high - low) * end, np.nan) for end in ends)
        names = np.where(plain, "wilson", "wilson_effective_n")
        return first, last, tuple(map(str, np.where(self.are, names, "")))


def between(
    values: Floats,
    variance: Floats,
    bounds: tuple[Floats, Floats],
    n: int,
    t: float,
    equal: NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """Wilson's bounds of values (S,) between others, for the n of a share with that
    variance (S,), or for n where units are `equal` (S,); t is the quantile."""
    with np.errstate(all="ignore"):
        span = bounds[1] - bounds[0]
        share = np.clip((values - bounds[0]) / span, 0.0, 1.0)
        units = share * (1 - share) * span**2 / variance
        units = np.where(equal | ~np.isfinite(units), float(n), np.maximum(units, 1.0))
        low, high = score_interval(share, units, t)
        return bounds[0] + span * low, bounds[0] + span * high
