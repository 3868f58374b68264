"""Studies: how many annotators and items a mean rating or a win rate of a wanted precision takes.

A vote varies by `deviation` in all: a share of its variance lies between items, a share between
annotators, the rest in the single vote. N items, each judged by r of J annotators, give a mean with

    V = deviation² (of_annotators / J + of_items / N + rest / (N r))

so more votes on the same items, or of the same annotators, help only so far. A pairwise vote is 1,
0 or ½ for a tie, and its mean a win rate, whose deviation is at most ½; a difference of two
systems' ratings on the same items has the deviation of the differences.

Intervals are those of `crossed.two_way`. Sources: Kish (1965), "Survey Sampling", ch. 5, for design
effects; Gao & Owen (2017), "Efficient moment calculations for variance components in large
unbalanced crossed random effects models".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metrics.statistics.annotations import Annotations, Ints
from metrics.statistics.weights import Floats

MOST = 10**7  # items that are looked for
PANEL = 5  # annotators below which intervals are rough, and no study is made unless asked for


@dataclass(frozen=True, slots=True)
class Spread:
    """How much single votes vary, and the shares of their variance between items and annotators;
    the rest, 1 less both, is the single vote's."""

    deviation: float
    of_items: float
    of_annotators: float

    @property
    def rest(self) -> float:
        """The share of the variance that is the single vote's."""
        return 1.0 - self.of_items - self.of_annotators


@dataclass(frozen=True, slots=True)
class Study:
    """A study: items · overlap votes, at most so many of one annotator, and the half-width that the
    interval is to be expected to have. design_effect: by how much the variance exceeds that of as
    many votes by as many annotators on as many items."""

    items: int
    annotators: int
    overlap: int
    votes: int
    votes_each: int
    half_width: float
    design_effect: float


PAIRWISE = Spread(0.5, 0.2, 0.02)
"""Where no pilot tells: systems of like strength; items on which people agree somewhat."""


def likert(low: float, high: float) -> Spread:
    """Where no pilot tells: a deviation of a quarter of the scale, three tenths of the variance
    between items, one tenth between annotators."""
    return Spread((high - low) / 4, 0.3, 0.1)


def spread(pilot: Annotations) -> Spread:
    """From votes of a pilot, by the method of moments. ValueError where items or annotators do not
    overlap, so that their parts cannot be told apart.

    Three sums of squares, within annotators, within items and in all, are set equal to what they
    are expected to be; a part below zero is taken for none.
    """
    once = pilot.first()
    y = once.value - once.value.mean() if len(once.value) else once.value
    n = float(len(y))
    by_annotator = np.bincount(once.annotator).astype(np.float64)
    by_item = np.bincount(once.item).astype(np.float64)
    J, N = (float((one > 0).sum()) for one in (by_annotator, by_item))
    if n <= max(J, N):
        raise ValueError("a pilot needs annotators with several items, and items with several")
    expected = np.array(
        [
            [0.0, n - J, n - J],
            [n - N, 0.0, n - N],
            [n - (by_annotator**2).sum() / n, n - (by_item**2).sum() / n, n - 1],
        ]
    )
    sums = np.array([_within(y, once.annotator), _within(y, once.item), float(y @ y)])
    parts = np.maximum(np.linalg.solve(expected, sums), 0.0)  # annotators, items, rest
    total = float(parts.sum())
    if total == 0.0:
        raise ValueError("all votes of the pilot are the same: they tell nothing of how votes vary")
    return Spread(math.sqrt(total), float(parts[1]) / total, float(parts[0]) / total)


def needed(
    half_width: float,
    votes: Spread,
    *,
    overlap: int = 3,
    most: int = 100,
    annotators: int | None = None,
    level: float = 0.95,
) -> Study:
    """The least number of items, and annotators for them, with that half-width or less.

    overlap     annotators of an item
    most        votes that one annotator can be asked for
    annotators  where the panel is given; ValueError where it cannot do, which says how near it gets

    Each annotator is in the mean with its own severity: a panel has at least 5, unless it is given.
    """
    if not half_width > 0.0 or overlap < 1 or most < 1:
        raise ValueError("half-width, overlap and votes of an annotator have to be above zero")

    def of(items: int) -> Study:
        least = max(overlap, PANEL, -(-items * overlap // most))
        panel = least if annotators is None else annotators
        return _study(items, panel, overlap, votes, level)

    limit = MOST if annotators is None else max(annotators * most // overlap, 0)
    if annotators is not None and (annotators < max(overlap, 2) or limit < 2):
        raise ValueError(f"{annotators} annotators of {most} votes are too few for any study")
    if of(limit).half_width > half_width:
        raise ValueError(
            f"the half-width would be {of(limit).half_width:.3g} at best, not {half_width:.3g}: "
            "it takes more annotators"
        )
    low, high = 1, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if of(middle).half_width <= half_width else (middle, high)
    return of(high)


def _study(items: int, annotators: int, overlap: int, votes: Spread, level: float) -> Study:
    from scipy.special import stdtrit

    single = votes.rest / (items * overlap)
    of_annotators = votes.of_annotators / annotators
    of_items = votes.of_items / items
    variance = of_annotators + of_items + single
    # what the two ways of clustering see, each with its degrees of freedom
    freedom = variance**2 / (
        (of_annotators + single) ** 2 / (annotators - 1) + (of_items + single) ** 2 / (items - 1)
    )
    half = float(stdtrit(freedom, 0.5 + level / 2)) * votes.deviation * math.sqrt(variance)
    return Study(
        items=items,
        annotators=annotators,
        overlap=overlap,
        votes=items * overlap,
        votes_each=-(-items * overlap // annotators),
        half_width=half,
        design_effect=variance * items * overlap,
    )


def _within(y: Floats, groups: Ints) -> float:
    """The sum of squares around the groups' means."""
    many = np.maximum(np.bincount(groups), 1)
    return float(y @ y - (np.bincount(groups, y) ** 2 / many).sum())
