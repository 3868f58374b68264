"""Estimates: values with the intervals in which they may lie.

A value is NaN where it is not defined; both ends are NaN where nothing can be said of it: of fewer
than two units, or of units that are all alike and no share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from metrics.statistics.proportions import effective_n, score_interval
from metrics.statistics.quantiles import t_quantile
from metrics.statistics.weights import Floats

CELLS = 4_000_000  # of weights that are drawn at a time
LEFT_OUT = 2000  # units that are left out one by one, at most


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimates:
    """Values and the ends of their intervals, arrays of one shape."""

    values: Floats
    low: Floats
    high: Floats

    def __getitem__(self, at: int) -> Estimate:
        return Estimate(float(self.values[at]), float(self.low[at]), float(self.high[at]))


UNKNOWN = Estimate(np.nan, np.nan, np.nan)


def student(values: Floats, errors: Floats, freedom: Floats, level: float = 0.95) -> Estimates:
    """value ± t · error; no interval where the error is zero or not known."""
    from scipy.special import stdtrit

    with np.errstate(invalid="ignore"):
        known = np.isfinite(values) & (errors > 0) & (freedom > 0)
    half = np.asarray(stdtrit(np.where(known, freedom, 1.0), 0.5 + level / 2)) * errors
    half = np.where(known, half, np.nan)
    return Estimates(values, values - half, values + half)


def proportions(hits: Floats, n: Floats, level: float = 0.95) -> Estimates:
    """Wilson's interval of `hits` among n independent units; NaN of none."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(n > 0, hits / n, np.nan)
        low, high = score_interval(share, n, z)
    return Estimates(share, np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan))


def mean_share(shares: Floats, level: float = 0.95) -> Estimate:
    """The mean of units' shares (n,) in 0..1, with Wilson's interval: for n units where all are 0
    or 1, else for as many as would vary as much."""
    n = len(shares)
    if not n:
        return UNKNOWN
    mean = shares.mean(keepdims=True)
    if bool(np.isin(shares, (0.0, 1.0)).all()):
        return proportions(shares.sum(keepdims=True), np.array([float(n)]), level)[0]
    if n < 2:
        return Estimate(float(mean[0]), np.nan, np.nan)
    size = effective_n(shares[:, None], np.ones(n))
    low, high = score_interval(mean, size, t_quantile(0.5 + level / 2, n - 1))
    return Estimates(mean, low, high)[0]


def bootstrapped(
    statistic: Callable[[Floats], Floats],
    n: int,
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Estimate:
    """A statistic of n units, with percentiles of its values for units drawn anew.

    statistic  (R, n) how often each unit counts -> (R,) values, NaN where there is none

    1. The values of `replicates` resamples: θ_r.
    2. z₀, the normal deviate of the share of them below the value: how far they are biased.
    3. a = Σ u³ / 6 (Σ u²)^1.5, u being what leaving out a unit changes: by how much the error grows
       with the value. 0 of more units than `LEFT_OUT`, where it is small.
    4. The ends are the percentiles Φ(z₀ + (z₀ ± z) / (1 - a (z₀ ± z))): BCa.

    The interval contains the value; there is none where every resample gives the same.
    Source: Efron (1987), "Better bootstrap confidence intervals".
    """
    value = float(statistic(np.ones((1, n)))[0]) if n else np.nan
    if n < 2 or not np.isfinite(value):
        return Estimate(value, np.nan, np.nan)
    drawn = np.concatenate([statistic(one) for one in draws(n, seed, replicates, n)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or np.ptp(drawn) == 0.0:
        return Estimate(value, np.nan, np.nan)
    ends = _corrected(value, drawn, _acceleration(statistic, n), level)
    low, high = np.quantile(drawn, ends).tolist()
    return Estimate(value, min(low, value), max(high, value))


def _corrected(value: float, drawn: Floats, acceleration: float, level: float) -> list[float]:
    """The shares of the replicates that are below the ends."""
    normal = NormalDist()
    below = float(((drawn < value).mean() + (drawn <= value).mean()) / 2)
    edge = 1 / (len(drawn) + 1)
    bias = normal.inv_cdf(min(max(below, edge), 1 - edge))
    found = []
    for share in (0.5 - level / 2, 0.5 + level / 2):
        z = bias + normal.inv_cdf(share)
        found.append(normal.cdf(bias + z / (1 - acceleration * z)))
    return found


def _acceleration(statistic: Callable[[Floats], Floats], n: int) -> float:
    if n > LEFT_OUT:
        return 0.0
    left = statistic(1 - np.eye(n))
    change = np.where(np.isfinite(left), left.mean(where=np.isfinite(left)) - left, 0.0)
    scale = float((change**2).sum()) ** 1.5
    return float((change**3).sum()) / 6 / scale if scale > 0 else 0.0


def draws(n: int, seed: int, replicates: int, cells: int) -> Iterator[Floats]:
    """(R, n) how often each of n units is drawn, in parts of which each has about `CELLS` numbers
    where a replicate takes `cells` of them."""
    chance = np.random.default_rng(seed)
    step = max(1, CELLS // max(cells, 1))
    shares = np.full(n, 1 / n)
    for at in range(0, replicates, step):
        size = min(step, replicates - at)
        yield chance.multinomial(n, shares, size=size).astype(np.float64)
