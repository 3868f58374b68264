"""Errors of values whose votes share annotators, items, or both: clusters that cross each other.

    pull         (n, S)  what each vote moves each of S values by: their sum over votes is zero
    one, other   (n,)    int64, the clusters that each vote is of, in one way and in another

    one way   V = G / (G - 1) Σ_g (Σ pull)²,                   G - 1 degrees of freedom
    two ways  V = V_one + V_other - V_both, where "both" are the votes of one annotator on one item;
              at least V_one and V_other, for the difference of estimates may be too small, and
              Satterthwaite's degrees of freedom of a sum of two variances

The first says how far a value may be were other annotators asked of the same items; the second, of
other items too. With fewer than two clusters there is no error, NaN.

Sources: Liang & Zeger (1986); Cameron, Gelbach & Miller (2011), "Robust inference with multiway
clustering"; MacKinnon, Nielsen & Webb (2024), "Jackknife inference with two-way clustering", for
the largest of the three.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.statistics.annotations import Ints
from metrics.statistics.weights import Floats


@dataclass(frozen=True, slots=True)
class Errors:
    """(S,) standard errors and degrees of freedom."""

    errors: Floats
    freedom: Floats


def summed(pull: Floats, groups: Ints) -> Floats:
    """(G, S) the votes' pull added up over each group that there is."""
    places, inverse = np.unique(groups, return_inverse=True)
    found = np.zeros((len(places), pull.shape[1]))
    np.add.at(found, inverse, pull)
    return found


def one_way(pull: Floats, groups: Ints) -> Errors:
    """Of votes in clusters."""
    variance, freedom = _variance(pull, groups)
    return Errors(np.sqrt(variance), np.full(len(variance), freedom))


def two_way(pull: Floats, one: Ints, other: Ints) -> Errors:
    """Of votes in clusters that cross each other."""
    first, first_freedom = _variance(pull, one)
    second, second_freedom = _variance(pull, other)
    both = one * (int(other.max(initial=0)) + 1) + other
    variance = np.maximum(first + second - _variance(pull, both)[0], np.maximum(first, second))
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / (first**2 / first_freedom + second**2 / second_freedom)
    return Errors(np.sqrt(variance), freedom)


def _variance(pull: Floats, groups: Ints) -> tuple[Floats, float]:
    """(S,) variances, and their degrees of freedom."""
    sums = summed(pull, groups)
    if len(sums) < 2:
        return np.full(pull.shape[1], np.nan), np.nan
    return np.asarray((sums**2).sum(0) * len(sums) / (len(sums) - 1)), len(sums) - 1.0
