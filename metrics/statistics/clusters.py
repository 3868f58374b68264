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

from metrics.statistics.influence import Reduce
from metrics.statistics.resampling import dear, delete_variance, evaluate, left_out
from metrics.statistics.weights import Floats, Keys, totals, unit_keys

ROUNDING = 1e-12  # of a value: a deviation below that is none
ALIKE = 1.2  # a design effect above this is worth a word
LEAST = 10  # clusters below which nothing is said of their design effect


@dataclass(frozen=True, slots=True)
class Clusters:
    """names (G,) in the order in which they come first; of (n,) each unit's place in them."""

    names: tuple[str, ...]
    of: NDArray[np.int64]

    @property
    def keys(self) -> Keys:
        """(G,) what the clusters' weights are drawn from."""
        return unit_keys(self.names)

    def take(self, chosen: NDArray[np.int64]) -> Clusters:
        """Those of the `chosen` units alone."""
        if len(chosen) == len(self.of):
            return Clusters(self.names, self.of[chosen])
        present, of = np.unique(self.of[chosen], return_inverse=True)
        names = tuple(self.names[index] for index in present.tolist())
        return Clusters(names, of.astype(np.int64))

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


@dataclass(frozen=True, slots=True)
class Variances:
    """(S,) the jackknife's variances of each value: over clusters, and as if units were single."""

    clusters: Floats
    units: Floats
    values: Floats

    @property
    def effect(self) -> Floats:
        """(S,) by how much the first exceeds the second: the design effect. 1: the clusters do not
        matter; NaN where either is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = self.clusters / self.units
        rounding = (ROUNDING * np.abs(self.values)) ** 2
        return np.where(np.isfinite(effect) & (self.units > rounding), effect, np.nan)


def variances(
    rows: Floats,
    found: Clusters,
    reduce: Reduce,
    *,
    loss: Floats | None = None,
    pooled: Floats | None = None,
    pooled_loss: Floats | None = None,
) -> Variances:
    """The variances of each value of `reduce`.

    loss         (n, C) what the sums lose without a unit; its row, unless told
    pooled       (G, C) the clusters' rows, where they are not their units' added up
    pooled_loss  (G, C) what the sums lose without a cluster
    """
    values = evaluate(reduce, totals(rows))
    parts = found.pooled(rows) if pooled is None else pooled
    over = []
    for given, lost, keys in (
        (parts, pooled_loss, found.keys),
        (rows, loss, np.arange(len(rows), dtype=np.uint64)),
    ):
        left, sizes = left_out(given, keys, reduce, lost, dear(given, lost))
        over.append(delete_variance(values, left, sizes))
    return Variances(over[0], over[1], values)


def effects_of_differences(
    rows: Sequence[Floats],
    found: Clusters,
    reduce: Reduce,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> Floats:
    """(P, S) the design effects of P differences between systems' values; NaN where there is none.

    rows         of each system (n, C), over the same units
    left, right  (P,) the systems, by their places in `rows`
    """
    values = np.stack([evaluate(reduce, totals(one)) for one in rows])  # (M, S)
    over = []
    for parts, keys in (
        ([found.pooled(one) for one in rows], found.keys),
        (rows, np.arange(len(found.of), dtype=np.uint64)),
    ):
        grouped = any(dear(one, None) for one in parts)
        without = [left_out(one, keys, reduce, None, grouped) for one in parts]
        over.append(
            [
                delete_variance(values[a] - values[b], without[a][0] - without[b][0], without[a][1])
                for a, b in zip(left.tolist(), right.tolist(), strict=True)
            ]
        )
    largest = np.maximum(np.abs(values[left]), np.abs(values[right]))
    return Variances(np.stack(over[0]), np.stack(over[1]), largest).effect


def tried(rows: Floats, candidates: Sequence[Clusters], reduce: Reduce) -> Floats:
    """(F, S) design effects of several ways to cluster the same units, from one jackknife over the
    units: a cluster's influence is its units' added up. NaN where the effect might be chance.

    Of units that do not depend on each other the effect is 1, with a standard deviation of
    sqrt(2 Σ m (m - 1)) / n for clusters of m; it has to be three of them above, and above `ALIKE`.
    Too few or too unequal clusters (n² / Σ m² below `LEAST`) say nothing.
    """
    left, _ = left_out(rows, np.arange(len(rows), dtype=np.uint64), reduce, None, grouped=False)
    influence = left - left.mean(0)  # (n, S)
    n = len(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        single = (influence**2).sum(0) * n / (n - 1)
        effects = np.full((len(candidates), influence.shape[1]), np.nan)
        for at, one in enumerate(candidates):
            sizes = np.bincount(one.of).astype(np.float64)
            if n**2 < LEAST * (sizes**2).sum():
                continue
            effect = (one.pooled(influence) ** 2).sum(0) * len(sizes) / (len(sizes) - 1) / single
            chance = np.sqrt(2 * (sizes * (sizes - 1)).sum()) / n
            effects[at] = np.where(effect > max(ALIKE, 1 + 3 * chance), effect, np.nan)
    return effects
