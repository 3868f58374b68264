"""acc_eq: pairs of outputs ordered, or tied, as people have them, once scores may tie.

    people, scores  (M, N)  M systems, N samples; more is better; NaN where there is none

Of a sample's pairs of outputs, the share whose scores are in people's order, or tied as people tie
them, averaged over the samples that have a pair. Scores count as tied up to a difference epsilon,
the one of the highest share. The permutation test calibrates ties anew in every permutation, as
people's order is the same in all; for that each output's two scores are compared with each other's
in all four ways and sorted by their distance once.

Source: Deutsch, Foster, Freitag (2023), arXiv:2305.14324; PERM-BOTH: Deutsch, Dror, Roth (2021),
arXiv:2104.00054. Equal to mt-metrics-eval's KendallWithTiesOpt (acc23, by item, all pairs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.statistics.differences import SLACK, differences, standardised
from metrics.statistics.weights import Floats

MOST = (
    10_000_000  # pairs of outputs that are tested: four distances of each are kept, 30 bytes each
)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of outputs from the closest scores to the farthest.

    size    (K,) distance of the scores
    before  (K,) what it adds to the share as the scores order it; `after` (K,) as a tie
    """

    size: Floats
    before: Floats
    after: Floats
    scale: float

    def best(self) -> tuple[float, float]:
        """The highest share, and the least epsilon that leads to it."""
        if not len(self.size):
            return float("nan"), float("nan")
        share, places = calibrated(self.before, self.after, ends(self.size, self.scale))
        # without a tie, unless scores are tied as they are
        if self.size[0] > 0:
            share, places = np.r_[self.before.sum(), share], np.r_[-1, places]
        at = int(np.argmax(np.round(share, 12)))
        return float(share[at]), float(self.size[places[at]]) if places[at] >= 0 else 0.0


def accuracy_with_ties(people: Floats, scores: Floats) -> tuple[float, float]:
    """acc_eq and its epsilon; NaN without a pair."""
    a, b = differences(people), differences(scores)
    there = np.isfinite(a) & np.isfinite(b)
    weights = np.broadcast_to(_weights(there), a.shape)[there]
    a, b = a[there], b[there]
    order = np.argsort(np.abs(b), kind="stable")
    a, b, weights = a[order], b[order], weights[order]
    right = weights * ((np.sign(a) == np.sign(b)) & (b != 0))
    scale = float(np.nanmax(np.abs(scores))) if len(a) else 0.0
    return Pairs(np.abs(b), right, weights * (a == 0), scale).best()


def ends(size: Floats, scale: float) -> NDArray[np.bool_]:
    """(K,) after which sorted distances an epsilon may lie: what rounding tells apart is one."""
    return np.append(np.diff(size) > SLACK * scale, True)


def calibrated(
    before: Floats, after: Floats, last: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.int64]]:
    """The share with all pairs up to a place tied, and those places."""
    places = np.flatnonzero(last)
    return np.asarray(before.sum() + np.cumsum(after - before)[places], np.float64), places


def _weights(there: NDArray[np.bool_]) -> Floats:
    """(N,) of each pair of a sample: samples count alike."""
    count = there.sum(0)
    share = np.where(count > 0, 1.0 / np.maximum(count, 1), 0.0)
    return np.asarray(share / max((count > 0).sum(), 1), np.float64)


@dataclass(frozen=True, slots=True)
class Mixtures:
    """Every pair of outputs by either's score of either metric, from the closest to the farthest.

    one, other  (K,) the outputs, as places in (M, N)
    of          (K,) whose scores they have: 2 · the first's metric + the other's
    group       (K,) equal where distances are
    """

    one: NDArray[np.int32]
    other: NDArray[np.int32]
    of: NDArray[np.int8]
    group: NDArray[np.int32]
    tied_as_they_are: NDArray[np.bool_]
    before: Floats
    after: Floats

    def share(self, chosen: NDArray[np.int8]) -> float:
        """acc_eq of the scores that each output (M · N,) has of metric 0 or 1."""
        kept = np.flatnonzero(2 * chosen[self.one] + chosen[self.other] == self.of)
        before, after, group = self.before[kept], self.after[kept], self.group[kept]
        share, _ = calibrated(before, after, np.r_[group[1:] != group[:-1], True])
        if self.tied_as_they_are[kept[0]]:
            return float(share.max())
        return max(float(before.sum()), float(share.max()))


def mixtures(people: Floats, a: Floats, b: Floats) -> Mixtures:
    """Of scores that are there wherever people's ratings are."""
    left, right = np.triu_indices(len(people), 1)
    order = differences(people)
    there = np.isfinite(order)
    weights = np.broadcast_to(_weights(there), order.shape)[there]
    places = np.arange(people.size, dtype=np.int32).reshape(people.shape)
    one, other, order = places[left][there], places[right][there], order[there]
    each = (a.ravel(), b.ravel())
    gaps = np.concatenate([each[x][one] - each[y][other] for x in (0, 1) for y in (0, 1)])
    scale = float(max(np.nanmax(np.abs(a)), np.nanmax(np.abs(b))))
    gaps[np.abs(gaps) <= SLACK * scale] = 0.0
    sorting = np.argsort(np.abs(gaps), kind="stable")
    pair = sorting % len(one)
    size, weights = np.abs(gaps)[sorting], weights[pair]
    right_order = (np.sign(gaps[sorting]) == np.sign(order[pair])) & (size > 0)
    return Mixtures(
        one[pair],
        other[pair],
        (sorting // len(one)).astype(np.int8),
        np.cumsum(np.r_[False, ends(size, scale)[:-1]]).astype(np.int32),
        size == 0,
        weights * right_order,
        weights * (order[pair] == 0),
    )


def permutation_test(
    people: Floats, a: Floats, b: Floats, permutations: int, seed: int
) -> tuple[float, float]:
    """How much higher acc_eq of scores `a` is than that of `b`, and its two-sided p-value: as
    `meta_evaluation.permutation_test`, whose draws these are."""
    there = np.isfinite(people) & np.isfinite(a) & np.isfinite(b)
    if (there.sum(0) > 1).sum() == 0:
        return float("nan"), float("nan")
    held = np.where(there, people, np.nan)
    found = mixtures(held, *(standardised(np.where(there, one, np.nan)) for one in (a, b)))

    def apart(swapped: NDArray[np.int8]) -> float:
        return found.share(swapped) - found.share(1 - swapped)

    difference = apart(np.zeros(people.size, np.int8))
    draw, further = np.random.default_rng(seed), 1
    for _ in range(permutations):
        drawn = apart(draw.integers(0, 2, people.shape, dtype=np.int8).ravel())
        further += int(abs(drawn) >= abs(difference) * (1 - SLACK))
    return difference, further / (permutations + 1)
