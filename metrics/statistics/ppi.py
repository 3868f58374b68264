"""PPI++: people's mean rating, from few of their ratings and a judge's values of all samples.

    y        (n,)  people's ratings of the rated samples
    f        (n,)  the judge's values of the same samples
    f_other  (N,)  the judge's values of the samples that nobody rated

    mean = λ mean(f_other) + mean(y - λ f)

It is unbiased for people's mean whatever the judge is worth, where the rated samples are a random
part: what the judge says of the others counts as far as it went with people where both spoke. λ
makes the variance the smallest there is: cov(y, f) / ((1 + n/N) var(f)), kept within 0 and 1. At 0
the judge is left out, and the mean is people's alone.

The numbers are those of ppi-py 0.2.3 (`ppi_mean_pointestimate`, `ppi_mean_ci`). As a function of
sums the mean can be resampled and tested like any other value: see `of_sums`.

Source: Angelopoulos, Duchi & Zrnic (2023), "PPI++: Efficient Prediction-Powered Inference".
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from metrics.statistics.weights import Floats

COLUMNS, RATED, RATING = 7, 3, 4  # of a row, and where the rated samples stand: see `rows`


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean, its interval by the normal, and the weight λ of the judge."""

    value: float
    low: float
    high: float
    weight: float


def rows(values: Floats, ratings: Floats) -> Floats:
    """(n, 7) of units with a judge's value (n,) and people's rating (n,), NaN where nobody rated:
    1, f, f², and of the rated alone 1, y, f, y f."""
    rated = np.isfinite(ratings)
    y = np.where(rated, ratings, 0.0)
    f = np.where(rated, values, 0.0)
    columns = (np.ones(len(values)), values, values**2, rated, y, f, y * f)
    return np.stack([np.asarray(column, np.float64) for column in columns], 1)


def of_sums(sums: Floats) -> Floats:
    """(...,) the mean, of sums (..., 7) of rows; NaN where nobody rated."""
    total, values, squares, n, y, f, yf = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        other = total - n
        covariance = yf / n - (y / n) * (f / n)
        variance = (squares - values**2 / total) / (total - 1)
        weight = np.clip(covariance / ((1 + n / other) * variance), 0.0, 1.0)
        weight = np.where(np.isfinite(weight), weight, 0.0)
        # nobody else's values are there to go by: people's mean is all
        elsewhere = np.where(other > 0, (values - f) / other, 0.0)
        return np.asarray(y / n + weight * (elsewhere - f / n), np.float64)


def mean(y: Floats, f: Floats, f_other: Floats, level: float = 0.95) -> Estimate:
    """The estimate from values as such."""
    n, N = len(y), len(f_other)
    centred = (y - y.mean()) @ (f - f.mean()) / n
    spread = float(np.var(np.concatenate([f, f_other]), ddof=1))
    weight = float(np.clip(centred / ((1 + n / N) * spread), 0, 1)) if N and spread > 0 else 0.0
    value = weight * float(f_other.mean() if N else 0.0) + float((y - weight * f).mean())
    variance = weight**2 * float(f_other.var() / N if N else 0.0) + float(
        (y - weight * f).var() / n
    )
    half = NormalDist().inv_cdf(0.5 + level / 2) * float(np.sqrt(variance))
    return Estimate(value, value - half, value + half, weight)
