"""Ratings: mean ratings of systems, where annotators and items are both clusters.

    system, item, annotator  (n,)  int64, from 0: who was rated, on what, by whom
    value                    (n,)  float64, the rating

    means        each system's mean over its ratings
    adjusted     the same, had an average annotator of the panel given all of them: a rating is its
                 output's own value, and the severity of its annotator, by least squares over
                 outputs that several annotators rated
    differences  between systems, on the items on which both were rated; each such item counts alike

An interval says how far a value may be, were other annotators and other items drawn: by Student's t
of `crossed.two_way`. A panel of one annotator, or a single item, has none. docs/statistics.md says
what the intervals cover; with fewer than 5 annotators it is less than they claim.

Source: Linacre (1989), "Many-facet Rasch measurement", for severity as a facet, here on the scale
of the ratings; see `crossed` for the intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.statistics.annotations import Flags, Ints
from metrics.statistics.crossed import Errors, summed, two_way
from metrics.statistics.estimates import Estimates, student
from metrics.statistics.many import two_sided
from metrics.statistics.ranking import holm_pairs
from metrics.statistics.weights import Floats


@dataclass(frozen=True, slots=True)
class Ratings:
    """Rows of ratings; `systems` and `annotators` are how many there are of each."""

    system: Ints
    item: Ints
    annotator: Ints
    value: Floats
    systems: int
    annotators: int

    @classmethod
    def of(cls, system: Ints, item: Ints, annotator: Ints, value: Floats) -> Ratings:
        """As many systems and annotators as are named. ValueError for columns of unlike lengths,
        negative numbers, or a rating that is not finite."""
        if not len(system) == len(item) == len(annotator) == len(value):
            raise ValueError("systems, items, annotators and values have to be equally many")
        if min(one.min(initial=0) for one in (system, item, annotator)) < 0:
            raise ValueError("systems, items and annotators are numbered from 0")
        if not np.isfinite(value).all():
            raise ValueError("a rating is not finite: leave out what was skipped")
        systems, annotators = (int(one.max(initial=-1)) + 1 for one in (system, annotator))
        return cls(system, item, annotator, value, systems, annotators)

    @property
    def output(self) -> Ints:
        """(n,) the output that each rating is of: a system's on an item."""
        pairs = self.item * self.systems + self.system
        return np.asarray(np.unique(pairs, return_inverse=True)[1], np.int64)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Means without severity, and (J,) by how much each annotator rates below the panel's average
    (severe: above zero); NaN where outputs do not tie the annotators together."""

    means: Estimates
    severity: Floats


@dataclass(frozen=True, slots=True)
class Differences:
    """(S, S) mean of the row's system minus the column's; p-values corrected by Holm's method over
    the pairs; how many items each rests on."""

    values: Floats
    low: Floats
    high: Floats
    p_values: Floats
    items: Ints


def means(ratings: Ratings, level: float = 0.95) -> Estimates:
    """(S,) each system's mean rating; NaN of one that nobody rated."""
    values, errors, freedom = (np.full(ratings.systems, np.nan) for _ in range(3))
    for at in np.unique(ratings.system).tolist():
        own = ratings.system == at
        y = ratings.value[own]
        values[at] = y.mean()
        pull = (y - values[at])[:, None] / len(y)
        found = two_way(pull, ratings.annotator[own], ratings.item[own])
        errors[at], freedom[at] = found.errors[0], found.freedom[0]
    return student(values, errors, freedom, level)


def adjusted(ratings: Ratings, level: float = 0.95) -> Adjusted:
    """(S,) each system's mean rating, had the panel's average annotator given all of them.

    Within an output, a rating less the output's mean is what its annotator is apart from the others
    on it: b = L⁺ Σ (those differences), where L is the Laplacian of who shares outputs with whom.
    Each annotator's b stays a part of the interval: another panel has another average.
    """
    J = ratings.annotators
    given = np.eye(ratings.systems)[ratings.system]  # (n, S)
    n = given.sum(0)
    who = np.eye(J)[ratings.annotator]  # (n, J)
    output = ratings.output
    size = np.bincount(output).astype(np.float64)
    within = who - (summed(who, output) / size[:, None])[output]
    laplacian = within.T @ within
    if np.linalg.matrix_rank(laplacian, hermitian=True) < J - 1 or J < 2:
        nothing = np.full(ratings.systems, np.nan)
        return Adjusted(Estimates(nothing, nothing, nothing), np.full(J, np.nan))
    inverse = np.linalg.inv(laplacian + 1.0)  # L⁺ for what sums to zero over annotators
    bias = inverse @ (within.T @ ratings.value)  # (J,) does so too
    rest = ratings.value - bias[ratings.annotator]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = rest @ given / n
        part = who.T @ given / n  # (J, S) of a system's ratings, the share of each annotator
        pull = given * np.nan_to_num(rest[:, None] - values) / n
    error = rest - (np.bincount(output, rest) / size)[output]  # (n,) within outputs
    pull = pull - (within * error[:, None]) @ inverse @ np.nan_to_num(part)
    votes = np.bincount(ratings.annotator, minlength=J)[ratings.annotator]
    pull = np.nan_to_num(pull) + (bias[ratings.annotator] / (J * votes))[:, None]
    found = two_way(pull, ratings.annotator, ratings.item)
    return Adjusted(student(values, found.errors, found.freedom, level), -bias)


def differences(ratings: Ratings, level: float = 0.95) -> Differences:
    """(S, S) between every two systems, on the items that both have ratings on."""
    S = ratings.systems
    values, errors, freedom = (np.full((S, S), np.nan) for _ in range(3))
    items = np.zeros((S, S), np.int64)
    for left, right in zip(*np.triu_indices(S, 1), strict=True):
        value, error, items[left, right] = _difference(ratings, int(left), int(right))
        values[left, right] = value
        errors[left, right], freedom[left, right] = error.errors[0], error.freedom[0]
    for one in (errors, freedom, items):
        one.T[np.triu_indices(S, 1)] = one[np.triu_indices(S, 1)]
    values.T[np.triu_indices(S, 1)] = -values[np.triu_indices(S, 1)]
    found = student(values, errors, freedom, level)
    p_values = holm_pairs(two_sided(values, errors, items.astype(np.float64), freedom))
    return Differences(values, found.low, found.high, p_values, items)


def _difference(ratings: Ratings, left: int, right: int) -> tuple[float, Errors, int]:
    """The mean over shared items of the difference of the two systems' means on each."""
    unknown = Errors(np.array([np.nan]), np.array([np.nan]))
    shared = np.intersect1d(
        ratings.item[ratings.system == left], ratings.item[ratings.system == right]
    )
    if not len(shared):
        return float("nan"), unknown, 0
    chosen: Flags = np.isin(ratings.item, shared) & np.isin(ratings.system, (left, right))
    y, who = ratings.value[chosen], ratings.annotator[chosen]
    item = np.searchsorted(shared, ratings.item[chosen])
    sign = np.where(ratings.system[chosen] == left, 1.0, -1.0)
    side = (sign > 0).astype(np.int64)
    many = np.zeros((len(shared), 2))
    sums = np.zeros((len(shared), 2))
    np.add.at(many, (item, side), 1.0)
    np.add.at(sums, (item, side), y)
    mean = sums / many  # (I, 2) right, left
    value = float((mean[:, 1] - mean[:, 0]).mean())
    expected = mean.mean(1)[item] + sign * value / 2
    pull = sign * (y - expected) / (len(shared) * many[item, side])
    return value, two_way(pull[:, None], who, item), len(shared)
