"""Agreement of raters: Krippendorff's alpha.

    values  (N, J)  what each of J raters says of each of N units; NaN where it says nothing

alpha = 1 - observed / expected disagreement: 1 where all agree, 0 where they agree as often as
chance would have it, below 0 where they agree less. A unit with fewer than two values says nothing.
The distance of two values is their difference squared ("interval"), or whether they are unlike
("nominal"), or how many values lie between them ("ordinal"). Numbers are those of the package
`krippendorff`. The interval is of units drawn anew, by percentiles.

Sources: Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability"; Hayes & Krippendorff
(2007), "Answering the call for a standard reliability measure for coding data".
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from metrics.statistics.quantiles import percentiles
from metrics.statistics.weights import Floats

Distance = Literal["interval", "nominal", "ordinal"]
MOST_LEVELS = 1000  # distinct values, above which they are put in bins of this number


def alpha(values: Floats, distance: Distance = "interval") -> float:
    """Krippendorff's alpha; NaN where no unit has two values, or all values are the same."""
    return float(_alphas(values, distance, None)[0])


def interval(
    values: Floats,
    distance: Distance = "interval",
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Where alpha may lie, were other units rated; NaN where it has no value."""
    pairable = values[np.isfinite(values).sum(1) > 1]
    if len(pairable) < 2:
        return np.nan, np.nan
    chance = np.random.default_rng(seed)
    shares = np.full(len(pairable), 1 / len(pairable))
    draws = chance.multinomial(len(pairable), shares, size=replicates).astype(np.float64)
    low, high = percentiles(_alphas(pairable, distance, draws)[:, None], level)
    return float(low[0]), float(high[0])


def _alphas(values: Floats, distance: Distance, draws: Floats | None) -> Floats:
    """(R,) alpha with each unit counted as often as draws (R, N) say; None: once."""
    there = np.isfinite(values)
    many = there.sum(1)
    values, there, many = values[many > 1], there[many > 1], many[many > 1]
    if not len(values):
        return np.full(1 if draws is None else len(draws), np.nan)
    levels, index = np.unique(values[there], return_inverse=True)
    if len(levels) > MOST_LEVELS:
        cuts = np.unique(np.quantile(levels, np.linspace(0, 1, MOST_LEVELS)))
        index = np.searchsorted(cuts, values[there])
        levels = cuts
    counts = np.zeros((len(values), len(levels)))  # (N, L) how often each unit got each level
    np.add.at(counts, (np.nonzero(there)[0], index), 1.0)
    weights = np.ones((1, len(values))) if draws is None else draws
    each = weights @ counts  # (R, L)
    n = each.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if distance == "ordinal":
            drawn = zip(weights, each, strict=True)
            return np.array([_ordinal(counts, many, *one) for one in drawn])
        if distance == "nominal":
            apart = (many**2 - (counts**2).sum(1)) / (many - 1)
            observed = weights @ apart / n
            expected = (n**2 - (each**2).sum(1)) / (n * (n - 1))
        else:
            sums, squares = counts @ levels, counts @ levels**2
            observed = weights @ (2 * (many * squares - sums**2) / (many - 1)) / n
            total, square = each @ levels, each @ levels**2
            expected = 2 * (n * square - total**2) / (n * (n - 1))
        return np.asarray(np.where(expected > 0, 1 - observed / expected, np.nan), np.float64)


def _ordinal(counts: Floats, many: Floats, weights: Floats, each: Floats) -> float:
    """Alpha of ranks: the distance depends on how often each level was given."""
    upto = np.cumsum(each) - each / 2
    distance = (upto[:, None] - upto[None, :]) ** 2
    pairs = counts.T @ (counts * (weights / (many - 1))[:, None])
    n = each.sum()
    expected = float(each @ distance @ each) / (n * (n - 1))
    observed = float((pairs * distance).sum()) / n
    return 1 - observed / expected if expected > 0 else float("nan")
