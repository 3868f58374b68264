"""What a judge is biased by, in numbers with intervals: position, length, order flips, own outputs.

    values   (N, J, K, R, O)  as in `metrics.judging.values`
    lengths  (N, 2)           characters of the output, and of what it is compared with
    unit     (N,)             the sample of each output

Intervals are Student's t over samples; of slopes, with errors that hold where the spread changes
with length (HC3); of shares, Wilson's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from metrics.core.rows import Floats, Ints
from metrics.judging.values import of_items
from metrics.statistics.quantiles import t_quantile

FEWEST = 3  # samples, below which nothing is said
ROUNDING = 1e-12  # of the values' size: samples that differ by no more say nothing of others


@dataclass(frozen=True, slots=True)
class Bias:
    """A number with its interval, and how many samples it is over."""

    value: float
    interval: tuple[float, float]
    n: int


def position(values: Floats, unit: Ints, level: float) -> Bias | None:
    """By how much the rate of wins of the response that stands first is above one half."""
    if values.shape[-1] < 2:
        return None
    pull = _flat(values[..., 0] - values[..., 1]) / 2
    return _mean(pull, unit, level)


def flips(values: Floats, unit: Ints, level: float) -> Bias | None:
    """The share of comparisons that have another winner in the other order; a tie is no winner."""
    if values.shape[-1] < 2:
        return None
    first, second = values[..., 0], values[..., 1]
    known = np.isfinite(first) & np.isfinite(second)
    turned = np.where(known, np.sign(first - 0.5) * np.sign(second - 0.5) < 0, np.nan)
    return _share(_flat(turned), unit, level)


def length(
    values: Floats, lengths: Ints, unit: Ints, level: float, ratings: Floats | None = None
) -> Bias | None:
    """By how much the value rises where the output is twice as long: of pairwise, twice as long as
    the other.

    ratings  (N,) people's, NaN where there are none: then it is what the judge gives beyond them
    """
    sizes = np.log2(np.maximum(lengths, 1).astype(np.float64))
    compared = bool((lengths[:, 1] > 0).any())
    x = sizes[:, 0] - sizes[:, 1] if compared else sizes[:, 0]
    y = of_items(values).mean(1)
    if ratings is not None:
        y = y - ratings
    known = np.isfinite(y)
    if not known.any():
        return None
    counts = np.bincount(unit[known])
    some = counts > 0
    x, y = (np.bincount(unit[known], one[known])[some] / counts[some] for one in (x, y))
    return _slope(x, y, level)


def difference(own: Floats, others: Floats, level: float) -> Bias | None:
    """The mean of `own` less that of `others`, (n,) each, by Welch: self-preference."""
    own, others = own[np.isfinite(own)], others[np.isfinite(others)]
    if min(len(own), len(others)) < FEWEST:
        return None
    parts = own.var(ddof=1) / len(own), others.var(ddof=1) / len(others)
    total = parts[0] + parts[1]
    lost = parts[0] ** 2 / (len(own) - 1) + parts[1] ** 2 / (len(others) - 1)
    freedom = total**2 / lost if lost > 0 else len(own) + len(others) - 2
    half = t_quantile(0.5 + level / 2, freedom) * sqrt(total)
    value = float(own.mean() - others.mean())
    return Bias(value, (value - half, value + half), len(own) + len(others))


def of_judge(values: Floats, unit: Ints, judge: int) -> Floats:
    """(n_units,) a judge's mean value of each sample, over outputs and criteria; NaN is none."""
    return _by_unit(of_items(values[:, [judge]]).mean(1), unit)


def of_others(values: Floats, unit: Ints, judge: int) -> Floats:
    """(n_units,) the mean value that the panel's other judges give."""
    left = [at for at in range(values.shape[1]) if at != judge]
    return _by_unit(of_items(values[:, left]).mean(1), unit)


def _by_unit(values: Floats, unit: Ints) -> Floats:
    known = np.isfinite(values)
    count = int(unit.max(initial=-1)) + 1
    sums = np.bincount(unit[known], values[known], count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / np.bincount(unit[known], minlength=count), np.float64)


def _flat(values: Floats) -> Floats:
    """(N,) the mean over judges, criteria and draws; NaN where there is none."""
    flat = values.reshape(len(values), -1)
    known = np.isfinite(flat)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, flat, 0.0).sum(1) / known.sum(1), np.float64)


def _mean(values: Floats, unit: Ints, level: float) -> Bias | None:
    own = _by_unit(values, unit)
    own = own[np.isfinite(own)]
    n = len(own)
    if n < FEWEST or _alike(own):
        return None
    half = t_quantile(0.5 + level / 2, n - 1) * float(own.std(ddof=1)) / sqrt(n)
    value = float(own.mean())
    return Bias(value, (value - half, value + half), n)


def _alike(values: Floats) -> bool:
    return float(np.ptp(values)) <= ROUNDING * float(np.abs(values).max())


def _share(values: Floats, unit: Ints, level: float) -> Bias | None:
    own = _by_unit(values, unit)
    own = own[np.isfinite(own)]
    n = len(own)
    if n < FEWEST:
        return None
    z, share = t_quantile(0.5 + level / 2, n - 1), float(own.mean())
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    centre, scale = share + z * z / (2 * n), 1 + z * z / n
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return Bias(share, (min(max(0.0, low), share), max(min(1.0, high), share)), n)


def _slope(x: Floats, y: Floats, level: float) -> Bias | None:
    n = len(x)
    centred = x - x.mean()
    square = float(centred @ centred)
    if n <= FEWEST or square <= 1e-12 or _alike(y):
        return None
    value = float(centred @ y / square)
    left = y - y.mean() - value * centred
    leverage = 1 / n + centred**2 / square
    own = centred * left / np.maximum(1 - leverage, 1e-9)
    half = t_quantile(0.5 + level / 2, n - 2) * sqrt(float(own @ own)) / square
    return Bias(value, (value - half, value + half), n)
