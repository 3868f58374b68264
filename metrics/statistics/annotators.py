"""Annotators: how each one rates, compared with the others and with itself.

Of J annotators each function returns (J,) estimates, over the annotator's own items; NaN where it
has none to be judged by. Repeats count for consistency alone.

    severity     others' mean on the same item less its own rating: above zero, it rates lower
    alike        share of the others' values on the same item that are its own, from 0 to 1
    alpha        the same beyond chance: 1 - disagreement with the others / expected disagreement;
                 weighted by their votes, the annotators' mean is Krippendorff's alpha
    consistency  share of repeats on which it says what it said at first
    gold         share of right answers to questions whose answer is known
    seconds      median time an annotation takes it

Severity and alpha have Student's t over items, shares Wilson's interval, seconds the median's
between two order statistics. An interval is of other items, the other annotators being the same.

Who is an outlier: see `outliers`. Who clicks on what stands first: see `position_bias`.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from metrics.statistics.agreement import Distance
from metrics.statistics.annotations import Annotations, Flags, Ints
from metrics.statistics.crossed import one_way
from metrics.statistics.estimates import Estimate, Estimates, mean_share, proportions, student
from metrics.statistics.ranking import holm
from metrics.statistics.weights import Floats

Side = Literal["below", "above", "both"]
FEWEST = 5  # annotators below which nobody can be called an outlier
NORMAL_MAD = 1.4826  # the normal's deviation in median absolute deviations


@dataclass(frozen=True, slots=True)
class PositionBias:
    """How often the first shown is chosen, among choices of either.

    share     of all, with an interval over annotators; Wilson's of a single one
    each      (J,) of each annotator
    p_values  (J,) of a share of one half, by the exact binomial test, corrected by Holm's method
    """

    share: Estimate
    each: Estimates
    p_values: Floats


def severity(annotations: Annotations, level: float = 0.95) -> Estimates:
    """(J,) by how much each rates below the others, in the unit of the values."""
    once = shared(annotations)
    many, sums = _of_items(once, np.ones(len(once.item))), _of_items(once, once.value)
    others = (sums - once.value) / (many - 1)
    return _means(once, others - once.value, level)


def alpha(
    annotations: Annotations, distance: Distance = "interval", level: float = 0.95
) -> Estimates:
    """(J,) each one's agreement with the others beyond chance, at most 1."""
    once = shared(annotations)
    return _means(once, beyond_chance(once, distance), level)


def beyond_chance(once: Annotations, distance: Distance = "interval") -> Floats:
    """(n,) of annotations, each one's agreement with the others on its item beyond chance: their
    mean is Krippendorff's alpha. NaN where all values are the same.

    once  as `shared` gives them
    """
    n = len(once.value)
    if np.unique(once.value).size < 2:
        return np.full(n, np.nan)
    many = _of_items(once, np.ones(n))
    if distance == "nominal":
        apart = 1 - same_as_others(once)
        each = np.unique(once.value, return_counts=True)[1].astype(np.float64)
        expected = (n**2 - (each**2).sum()) / (n * (n - 1))
    else:
        y = _places(once.value) if distance == "ordinal" else once.value - once.value.mean()
        sums, squares = _of_items(once, y), _of_items(once, y**2)
        apart = (squares - 2 * y * sums + many * y**2) / (many - 1)
        expected = 2 * (n * (y**2).sum() - y.sum() ** 2) / (n * (n - 1))
    return np.asarray(1 - apart / expected, np.float64)


def alike(annotations: Annotations, level: float = 0.95) -> Estimates:
    """(J,) how often the others say the same as each."""
    once = shared(annotations)
    same = same_as_others(once)
    found = [mean_share(same[once.annotator == j], level) for j in range(once.annotators)]
    values, low, high = np.array([(one.value, one.low, one.high) for one in found]).reshape(-1, 3).T
    return Estimates(values, low, high)


def consistency(annotations: Annotations, level: float = 0.95) -> Estimates:
    """(J,) how often each says of a repeated item what it said at first."""
    again, origin = annotations.repeats()
    said = annotations.value
    return _shares(annotations, again, said == said[origin], level)


def gold(annotations: Annotations, answers: Floats, level: float = 0.95) -> Estimates:
    """(J,) accuracy on the items whose right value `answers` (items,) tells; NaN: it does not."""
    once = annotations.first()
    right = answers[once.item]
    return _shares(once, np.isfinite(right), once.value == right, level)


def seconds(annotations: Annotations, level: float = 0.95) -> Estimates:
    """(J,) the median time of each; no interval of so few that the extremes do not reach it."""
    found = np.full((3, annotations.annotators), np.nan)
    for j in range(annotations.annotators):
        own = annotations.seconds[annotations.annotator == j]
        own = np.sort(own[np.isfinite(own)])
        if len(own):
            found[:, j] = (np.median(own), *_around_median(own, level))
    return Estimates(*found)


def outliers(found: Estimates, side: Side = "both", level: float = 0.95) -> Floats:
    """(J,) p-values of belonging to the panel, corrected by Holm's method over its annotators;
    below 1 - level, say 0.05, an annotator is an outlier.

    1. z = (value - the panel's median) / sqrt(spread² + error²): the spread is 1.4826 times the
       median absolute deviation, the error half the length of the interval (at that level) over the
       normal's quantile. Whoever has few items is not blamed for chance.
    2. p by Student's t with one degree of freedom less than there are annotators, on the side asked
       for: "below" for agreement, consistency, gold and seconds (of which pass logarithms), "both"
       for severity.

    NaN for an annotator without an interval, and for all where fewer than 5 have one.
    """
    from scipy.special import stdtr

    known = np.isfinite(found.values) & np.isfinite(found.low) & np.isfinite(found.high)
    p_values = np.full(len(known), np.nan)
    if known.sum() < FEWEST:
        return p_values
    values = found.values[known]
    centre = np.median(values)
    spread = NORMAL_MAD * np.median(np.abs(values - centre))
    quantile = NormalDist().inv_cdf(0.5 + level / 2)
    error = (found.high - found.low)[known] / 2 / quantile
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(values == centre, 0.0, (values - centre) / np.hypot(spread, error))
    freedom = float(known.sum() - 1)
    tails = {"below": stdtr(freedom, z), "above": stdtr(freedom, -z)}
    p_values[known] = tails.get(side, np.minimum(2 * stdtr(freedom, -np.abs(z)), 1.0))
    return holm(p_values)


def position_bias(
    first: Flags, annotator: Ints, annotators: int, level: float = 0.95
) -> PositionBias:
    """Of choices (n,) between two, whether the one shown `first` was chosen; without ties."""
    from scipy.special import bdtr

    n = np.bincount(annotator, minlength=annotators).astype(np.float64)
    hits = np.asarray(np.bincount(annotator, first, minlength=annotators), np.float64)
    each = proportions(hits, n, level)
    p_values = np.minimum(2 * bdtr(np.minimum(hits, n - hits), n.astype(np.int64), 0.5), 1.0)
    p_values = holm(np.where(n > 0, p_values, np.nan))
    total = proportions(hits.sum(keepdims=True), n.sum(keepdims=True), level)
    if (n > 0).sum() > 1:
        pull = (first - total.values[0])[:, None] / len(first)
        error = one_way(pull, annotator)
        found = student(total.values, error.errors, error.freedom, level)
        total = Estimates(total.values, np.maximum(found.low, 0), np.minimum(found.high, 1))
    return PositionBias(total[0], each, p_values)


def shared(annotations: Annotations) -> Annotations:
    """First annotations of items that several annotators have."""
    once = annotations.first()
    many = np.bincount(once.item, minlength=once.items)
    return once.take(many[once.item] > 1)


def _of_items(once: Annotations, numbers: Floats) -> Floats:
    """(n,) the sum of numbers (n,) over each annotation's item."""
    return np.asarray(np.bincount(once.item, numbers, minlength=once.items)[once.item], np.float64)


def same_as_others(once: Annotations) -> Floats:
    """(n,) the share of the others on the item that say the same."""
    levels, index = np.unique(once.value, return_inverse=True)
    cell = once.item * max(len(levels), 1) + index
    _, place, many = np.unique(cell, return_inverse=True, return_counts=True)
    others = _of_items(once, np.ones(len(cell))) - 1
    return np.asarray((many[place] - 1) / others, np.float64)


def _places(values: Floats) -> Floats:
    """(n,) how many values are below each, and half of its like."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - counts / 2)[index], np.float64)


def _means(once: Annotations, numbers: Floats, level: float) -> Estimates:
    """(J,) means of the annotators' numbers (n,), by Student's t."""
    J = once.annotators
    n = np.bincount(once.annotator, minlength=J).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(once.annotator, numbers, minlength=J) / n
        off = numbers - mean[once.annotator]
        variance = np.bincount(once.annotator, off**2, minlength=J) / (n - 1) / n
    return student(mean, np.sqrt(variance), n - 1, level)


def _shares(given: Annotations, counted: Flags, hits: Flags, level: float) -> Estimates:
    who, J = given.annotator, given.annotators
    n = np.bincount(who[counted], minlength=J).astype(np.float64)
    right = np.bincount(who[counted & hits], minlength=J).astype(np.float64)
    return proportions(right, n, level)


def _around_median(ordered: Floats, level: float) -> tuple[float, float]:
    """The k-th value from either end, k the greatest with which they hold the median so often."""
    from scipy.special import bdtr

    n = len(ordered)
    ranks = np.arange(n // 2)
    inside = 2 * bdtr(ranks, n, 0.5) <= 1 - level
    if not inside.any():
        return np.nan, np.nan
    k = int(ranks[inside].max())
    return float(ordered[k]), float(ordered[n - 1 - k])
