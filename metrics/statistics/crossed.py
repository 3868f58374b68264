"""Errors of values whose votes share annotators, items, or both: clusters that cross each other.

    pull   (n, S)  what each vote moves each of S values by: its sum over votes is zero
    one way        V = G / (G - 1) Σ_g (Σ pull)², of G annotators, or of G items
    two ways       V = V(annotators) + V(items) - V(annotator and item), and no less than either:
                   the difference of estimates may be too small

The first says how far a value may be were other annotators asked of the same items; the second, of
other items too. They are used in two ways:

    one_way, two_way  errors of means and shares, whose pull is known. With fewer than two clusters
                      of a kind there is none, NaN. Two ways have Satterthwaite's degrees of freedom
                      of a sum of two variances
    sandwich          covariances of K values that solve equations: pull is scores @ bread.T. A kind
                      of one cluster is passed over, with a warning. Student's t has one degree of
                      freedom less than there are clusters of the scarcer kind

A sandwich is no less than `least` either, what independent votes would have under the model: it
keeps an interval open where the votes at hand hardly vary (a system that won all of its votes) or a
few annotators agree by chance. By simulation its intervals at 95% hold the truth in 94 to 99 of 100
cases (docs/statistics.md), above 97 where annotators or items do not matter.

Sources: Liang & Zeger (1986); Cameron, Gelbach & Miller (2011), "Robust inference with multiway
clustering"; MacKinnon, Nielsen & Webb (2024), "Jackknife inference with two-way clustering", for
the largest of the three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metrics.statistics.annotations import Ints
from metrics.statistics.clusters import Clusters
from metrics.statistics.diagnostics import FEW
from metrics.statistics.weights import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True)
class Errors:
    """(S,) standard errors and degrees of freedom."""

    errors: Floats
    freedom: Floats


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


def summed(pull: Floats, groups: Ints) -> Floats:
    """(G, S) the votes' pull added up over each group that there is."""
    return np.asarray(_pooling(groups) @ pull, np.float64)


def one_way(pull: Floats, groups: Ints) -> Errors:
    """Of votes in clusters."""
    variance, freedom = _variance(pull, groups)
    return Errors(np.sqrt(variance), np.full(len(variance), freedom))


def two_way(pull: Floats, one: Ints, other: Ints) -> Errors:
    """Of votes in clusters that cross each other."""
    first, first_freedom = _variance(pull, one)
    second, second_freedom = _variance(pull, other)
    both = first + second - _variance(pull, _cells(one, other))[0]
    variance = np.maximum(both, np.maximum(first, second))
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / (first**2 / first_freedom + second**2 / second_freedom)
    return Errors(np.sqrt(variance), freedom)


def sandwich(
    scores: csr_array, bread: Floats, annotators: Clusters, items: Clusters, least: Floats
) -> Sandwich:
    """The covariances of K values that solve these votes' equations.

    scores  (n, K)  scipy.sparse: each vote's part in the K equations that were solved
    bread   (K, K)  how far the values move as those equations do
    """
    kinds = [one for one in (annotators, items) if len(one.names) > 1]
    over = tuple(_covariance(scores, bread, one.of) for one in kinds)
    both = None
    if len(kinds) == 2:
        both = over[0] + over[1] - _covariance(scores, bread, _cells(annotators.of, items.of))
    fewest = min((len(one.names) for one in kinds), default=0)
    return Sandwich(over, both, least, fewest, _warnings(annotators, items))


def _cells(one: Ints, other: Ints) -> Ints:
    """(n,) the votes of one cluster in both ways have a number of their own."""
    return np.asarray(one * (int(other.max(initial=0)) + 1) + other, np.int64)


def _pooling(groups: Ints) -> csr_array:
    """(G, n) scipy.sparse: 1 where a vote is of a group, of those that there are."""
    from scipy.sparse import csr_array

    places, inverse = np.unique(groups, return_inverse=True)
    n = len(groups)
    return csr_array((np.ones(n), (inverse, np.arange(n))), shape=(len(places), n))


def _variance(pull: Floats, groups: Ints) -> tuple[Floats, float]:
    """(S,) variances, and their degrees of freedom."""
    sums = summed(pull, groups)
    if len(sums) < 2:
        return np.full(pull.shape[1], np.nan), np.nan
    return np.asarray((sums**2).sum(0) * len(sums) / (len(sums) - 1)), len(sums) - 1.0


def _covariance(scores: csr_array, bread: Floats, groups: Ints) -> Floats:
    """(K, K) of values whose pull is scores @ bread.T; of two groups or more."""
    sums = _pooling(groups) @ scores  # (G, K)
    count = sums.shape[0]
    meat = (sums.T @ sums).toarray() * (count / (count - 1))
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
