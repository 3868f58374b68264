"""Quantiles: of replicates, and of Student's t."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from metrics.statistics.weights import Floats


def percentiles(drawn: Floats, level: float) -> tuple[Floats, Floats]:
    """(S,), (S,) the central `level` of (R, S) replicates, those that are not finite left out."""
    finite = np.isfinite(drawn)
    low, high = np.full(drawn.shape[1], np.nan), np.full(drawn.shape[1], np.nan)
    tails = [0.5 - level / 2, 0.5 + level / 2]
    whole = finite.all(0)
    if whole.any():  # nanquantile gives the same, column by column
        low[whole], high[whole] = np.quantile(drawn[:, whole], tails, axis=0)
    some = finite.any(0) & ~whole
    if some.any():
        rest = np.where(finite[:, some], drawn[:, some], np.nan)
        low[some], high[some] = np.nanquantile(rest, tails, axis=0)
    return low, high


def t_quantile(probability: float, freedom: float) -> float:
    """Student's t, by Wallace's (1959) transformation of the normal: 0.05% off at 10 degrees of
    freedom, 1.2% at 3, always to the wide side of a 95% interval."""
    z = NormalDist().inv_cdf(probability) * (8 * freedom + 3) / (8 * freedom + 1)
    return float(np.copysign(np.sqrt(freedom * np.expm1(z * z / freedom)), z))


def t_tail(statistic: float, freedom: float) -> float:
    """Two-sided p-value of Student's t; inverts `t_quantile`, so tests and intervals agree."""
    shrink = (8 * freedom + 1) / (8 * freedom + 3)
    z = shrink * np.sqrt(freedom * np.log1p(statistic**2 / freedom))
    return 2 * NormalDist().cdf(-float(z))
