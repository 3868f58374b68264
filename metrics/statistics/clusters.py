"""Clusters: units that belong together, as the questions on one passage, and are drawn together.

    names  (n,)    which cluster each unit is of
    rows   (n, C)  float64, finite; the value is reduce(rows.sum(0))

A cluster's row is the sum of its units' rows. The value is the same, and every interval and test
takes the clusters for its units: keys are hashed from their names. Units of one document are alike,
so n of them say less than n documents would; the design effect says by how much.

Source: Kish (1965), "Survey Sampling", ch. 5; Field & Welsh (2007), "Bootstrapping clustered data".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.intervals import Reduce, delete_variance, left_out
from metrics.statistics.weights import Floats, Keys, totals, unit_keys

ROUNDING = 1e-12  # of a value: a deviation below that is none


@dataclass(frozen=True, slots=True)
class Clusters:
    """names (G,) in the order in which they come first; of (n,) each unit's place in them."""

    names: tuple[str, ...]
    of: NDArray[np.int64]

    @property
    def keys(self) -> Keys:
        """(G,) what the clusters' weights are drawn from."""
        return unit_keys(self.names)

    def pooled(self, rows: Floats) -> Floats:
        """(n, C) -> (G, C) each cluster's rows added up."""
        if len(self.names) == len(rows):
            return rows  # a unit each, in the same order
        order = np.argsort(self.of, kind="stable")
        starts = np.searchsorted(self.of[order], np.arange(len(self.names)))
        return np.add.reduceat(rows[order], starts, axis=0)


def clusters(names: Sequence[str]) -> Clusters:
    """The clusters that (n,) units are of, by their names."""
    places: dict[str, int] = {}
    of = np.fromiter((places.setdefault(one, len(places)) for one in names), np.int64, len(names))
    return Clusters(tuple(places), of)


def design_effect(rows: Floats, found: Clusters, reduce: Reduce) -> Floats:
    """(S,) by how much the clusters' variance of each value exceeds that of as many single units.

    Both are the jackknife's. 1: the clusters do not matter; NaN where either has no variance.
    """
    values = np.asarray(reduce(totals(rows)), np.float64)
    variances = []
    for parts, keys in (
        (found.pooled(rows), found.keys),
        (rows, np.arange(len(rows), dtype=np.uint64)),
    ):
        left, sizes = left_out(parts, keys, reduce, None, grouped=False)
        variances.append(delete_variance(values, left, sizes))
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = variances[0] / variances[1]
    rounding = (ROUNDING * np.abs(values)) ** 2
    return np.where(np.isfinite(effect) & (variances[1] > rounding), effect, np.nan)
