"""Intervals over clusters, where those over single units do not carry over.

    rows     (n, C)  of units; found: the clusters they are of, G of them
    values   (S,)    reduce(rows.sum(0))

With `FEW` clusters or more, the functions of `intervals` do on the clusters' rows. Here are the
proportion, whose clusters' rows are no longer 0 or 1, and what is left for fewer clusters:
Student's t with G - 1 degrees of freedom. docs/clusters.md has the coverage, which the tests hold.

Sources: Korn & Graubard (1998), "Confidence intervals for proportions with small expected number of
positive counts estimated from survey data"; Dean & Pagano (2015), "Evaluating confidence interval
methods for binomial proportions in clustered surveys".
"""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np

from metrics.statistics.clusters import Clusters, Variances
from metrics.statistics.intervals import (
    FEW,
    Intervals,
    Reduce,
    evaluate,
    jackknife,
    replicate,
    t_quantile,
)
from metrics.statistics.weights import Floats, totals

RARE = 10  # clusters with the rarer outcome, below which their design effect is a guess
ALIKE = 0.5  # the intra-class correlation that it then leans to


def proportion(rows: Floats, reduce: Reduce) -> bool:
    """Whether rows are (p, …, p, 1), each p in 0..1, and the values their means."""
    values = evaluate(reduce, totals(rows))
    return (
        len(rows) > 0
        and rows.shape[1] == len(values) + 1
        and bool((rows[:, -1] == 1.0).all())
        and bool(((rows >= 0.0) & (rows <= 1.0)).all())
        and bool(np.allclose(values, rows[:, :-1].mean(0), rtol=1e-9))
    )


def wilson(
    rows: Floats,
    found: Clusters,
    reduce: Reduce,
    over: Variances,
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Intervals:
    """Wilson's interval of proportions (see `proportion`), n replaced by an effective sample size:

        n / max(deff, 1) · (z / t)²    t with G - 1 degrees of freedom

    deff is the clusters' variance over p (1 - p) / n. Where fewer than RARE clusters have the rarer
    outcome it says little, and leans to that of an intra-class correlation of ALIKE; where all
    outcomes are equal, each cluster counts as one unit.
    """
    n, groups = len(rows), len(found.names)
    hits, sizes = found.pooled(rows)[:, :-1], found.pooled(rows)[:, -1:]
    share = rows[:, :-1].mean(0)
    nothing = np.full(len(share), np.nan)
    if groups < 2:
        drawn = replicate(found.pooled(rows), found.keys, reduce, seed, replicates)
        return Intervals(nothing, nothing, ("wilson",) * len(share), drawn, few(groups))
    mean_size = n / groups
    plain = share * (1 - share) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.where(plain > 0, over.clusters / plain, mean_size)
    rarer = np.minimum((hits > 0).sum(0), (hits < sizes).sum(0))
    trust = np.minimum(rarer / RARE, 1.0)
    effect = trust * effect + (1 - trust) * np.maximum(effect, 1 + (mean_size - 1) * ALIKE)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    size = n / np.maximum(effect, 1.0) * (z / t_quantile(0.5 + level / 2, groups - 1)) ** 2
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(share * (1 - share) / size + (z / (2 * size)) ** 2)
    low = np.minimum(np.maximum(centre - half, 0.0), share)
    high = np.maximum(np.minimum(centre + half, 1.0), share)
    drawn = replicate(found.pooled(rows), found.keys, reduce, seed, replicates)
    return Intervals(low, high, ("wilson",) * len(share), drawn, few(groups))


def student(
    pooled: Floats,
    found: Clusters,
    reduce: Reduce,
    bounds: tuple[Floats, Floats],
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Intervals:
    """Value ± t · standard error, t with G - 1 degrees of freedom and the error the jackknife's,
    for fewer clusters than percentiles of a bootstrap allow. The replicates are still drawn."""
    interval = jackknife(pooled, found.keys, reduce, bounds=bounds, level=level)
    drawn = replicate(pooled, found.keys, reduce, seed, replicates)
    methods = ("student",) * len(interval.low)
    return replace(interval, methods=methods, replicates=drawn, warnings=few(len(pooled)))


def few(groups: int) -> tuple[str, ...]:
    """What to say of so few clusters."""
    if groups < 2:
        return ("a single cluster allows no interval",) if groups else ()
    if groups < FEW:
        return (
            f"only {groups} clusters: the interval is Student's t over them, and rough; more "
            "clusters would help, more samples of the same ones would not",
        )
    return ()
