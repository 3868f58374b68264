"""Variances over crossed clusters: votes hang together by who cast them and by what was asked.

    scores  (n, K)  scipy.sparse: each vote's part in the K equations that were solved
    bread   (K, K)  how far the values move as those equations do: the influence is scores @ bread.T

The variance over annotators is the sum of squares of the annotators' influences (each its votes'
added up), times G / (G - 1); over items likewise. Both at once is

    V = V(annotators) + V(items) - V(annotator and item)

and no less than either of them, nor than `least`, what independent votes would have under the
model. The last keeps an interval open where the votes at hand hardly vary (a system that won all
of its votes) or a few annotators agree by chance. By simulation intervals at 95% hold the truth in
94 to 99 of 100 cases (docs/statistics.md), above 97 where annotators or items do not matter.
Student's t has one degree of freedom less than there are clusters of the scarcer kind.

Source: Cameron, Gelbach & Miller (2011), "Robust inference with multiway clustering".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.clusters import Clusters
from metrics.statistics.diagnostics import FEW
from metrics.statistics.weights import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sandwich:
    """(K, K) covariances of K values by what is taken for independent.

    over      of annotators and of items, those of which there are two or more
    both      over annotators and items at once; None where there are not two of both
    least     what the model has of independent votes
    clusters  how many there are of the scarcer kind that is used; 0 of votes without any
    warnings  sentences for the reader
    """

    over: tuple[Floats, ...]
    both: Floats | None
    least: Floats
    clusters: int
    warnings: tuple[str, ...]

    @property
    def freedom(self) -> float:
        """Degrees of freedom of Student's t."""
        return float(max(self.clusters - 1, 1))

    def variances(self) -> Floats:
        """(K,) of each value; NaN where a single cluster allows none."""
        return self._largest([np.diagonal(one) for one in self._all()])

    def variances_between(self) -> Floats:
        """(K, K) of the differences of all pairs of values."""
        return self._largest([between(one) for one in self._all()])

    def _all(self) -> list[Floats]:
        return [*self.over, *(() if self.both is None else (self.both,)), self.least]

    def _largest(self, found: list[Floats]) -> Floats:
        largest = np.max(found, axis=0)
        return np.asarray(largest if self.over else np.full_like(largest, np.nan), np.float64)


def between(covariance: Floats) -> Floats:
    """(K, K) the variances of the differences of all pairs, of a covariance (K, K)."""
    own = np.diagonal(covariance)
    return np.asarray(own[:, None] + own[None, :] - 2 * covariance, np.float64)


def sandwich(
    scores: csr_array, bread: Floats, annotators: Clusters, items: Clusters, least: Floats
) -> Sandwich:
    """The covariances of K values that solve these votes' equations."""
    kinds = [one for one in (annotators, items) if len(one.names) > 1]
    over = tuple(_over(scores, bread, one.of, len(one.names)) for one in kinds)
    both = None
    if len(kinds) == 2:
        cell = annotators.of * len(items.names) + items.of
        known, of = np.unique(cell, return_inverse=True)
        of = of.astype(np.int64)
        both = over[0] + over[1] - _over(scores, bread, of, len(known))
    fewest = min((len(one.names) for one in kinds), default=0)
    return Sandwich(over, both, least, fewest, _warnings(annotators, items))


def _over(scores: csr_array, bread: Floats, of: Ints, groups: int) -> Floats:
    """(K, K) the clusters' influences, squared and added up."""
    from scipy.sparse import csr_array

    n = len(of)
    pooling = csr_array((np.ones(n), (of, np.arange(n))), shape=(groups, n))
    pooled = pooling @ scores  # (G, K)
    meat = (pooled.T @ pooled).toarray() * (groups / (groups - 1))
    return np.asarray(bread @ meat @ bread.T, np.float64)


def _warnings(annotators: Clusters, items: Clusters) -> tuple[str, ...]:
    """What to say of few clusters. Where each vote is a cluster of its own, nobody was named."""
    said: dict[str, None] = {}
    for name, found in (("annotator", annotators), ("item", items)):
        groups, one = len(found.names), "vote" if len(found.names) == len(found.of) else name
        if groups == 1:
            said[f"a single {one}: the interval does not say how far other {one}s might differ"] = (
                None
            )
        elif groups < FEW:
            said[
                f"only {groups} {one}s: the interval rests on Student's t, and is rough; more "
                f"{one}s would help"
                + (", more votes of the same ones would not" if one == name else "")
            ] = None
    return tuple(said)
