"""Intervals over clusters where there are few of them.

The functions of `intervals` do on the clusters' rows as they do on units': Wilson's, for one, takes
their sizes for weights and rests on an effective number of clusters. With fewer than `FEW` of them
a bootstrap has little to draw from, and Student's t with G - 1 degrees of freedom stands in for it.
docs/clusters.md has the coverage, which the tests hold.
"""

from __future__ import annotations

from dataclasses import replace

from metrics.statistics.clusters import Clusters
from metrics.statistics.diagnostics import FEW
from metrics.statistics.influence import Reduce
from metrics.statistics.intervals import Bounds, Intervals, jackknife
from metrics.statistics.remarks import Remark
from metrics.statistics.resampling import replicate
from metrics.statistics.weights import Floats


def student(
    pooled: Floats,
    found: Clusters,
    reduce: Reduce,
    bounds: Bounds,
    *,
    seed: int = 0,
    replicates: int = 1000,
    level: float = 0.95,
) -> Intervals:
    """The jackknife's interval of the clusters' rows (G, C), with the bootstrap's replicates, which
    paired tests want; value ± t · error, or within bounds Wilson's of that error."""
    interval = jackknife(pooled, found.keys, reduce, bounds=bounds, level=level)
    drawn = replicate(pooled, found.keys, reduce, seed, replicates)
    methods = tuple("t" if one == "jackknife" else one for one in interval.methods)
    return replace(interval, methods=methods, replicates=drawn)


def few(groups: int) -> tuple[Remark, ...]:
    """What to say of so few clusters."""
    if groups < 2:
        return (Remark("a single cluster allows no interval"),) if groups else ()
    if groups < FEW:
        return (
            Remark(
                "only {groups} clusters: the interval rests on Student's t, and is rough; more "
                "clusters would help, more samples of the same ones would not",
                groups=groups,
            ),
        )
    return ()
