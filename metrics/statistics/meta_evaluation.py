"""Metrics held to people's ratings of several systems' outputs, as WMT does it.

    people, scores  (M, N)  M systems, N samples; more is better; NaN where there is none
    kept            (N,)    bool, the samples that are looked at

What lacks either number is left out. `by_sample` compares systems on one sample at a time, so that
hard samples do not look like bad systems; the others compare systems by their means.

Source: Kendall (1945), tau-b; Kocmi et al. (2021), arXiv:2107.10821 (pairwise accuracy); Thompson
et al. (2024), arXiv:2409.09598 (soft pairwise accuracy); Deutsch, Dror, Roth (2021),
arXiv:2104.00054 (PERM-BOTH). Definitions as in mt-metrics-eval's `stats`; `tie_calibration` has
acc_eq.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metrics.statistics.differences import SLACK, differences, standardised
from metrics.statistics.weights import Floats

Statistic = Callable[[Floats, Floats], float]  # of (people, scores)


def flat(statistic: Statistic) -> Statistic:
    """A correlation of all outputs together, whichever the system and the sample."""

    def of_all(people: Floats, scores: Floats) -> float:
        there = np.isfinite(people) & np.isfinite(scores)
        return statistic(scores[there], people[there]) if there.sum() > 1 else float("nan")

    return of_all


def of_systems(statistic: Statistic) -> Statistic:
    """A correlation of the systems' means over samples that have both numbers."""

    def of_means(people: Floats, scores: Floats) -> float:
        a, b = _means(people, scores)
        known = np.isfinite(a) & np.isfinite(b)
        return statistic(b[known], a[known]) if known.sum() > 1 else float("nan")

    return of_means


def kendall_by_sample(people: Floats, scores: Floats) -> float:
    """Tau-b of the systems on each sample, averaged over samples on which it is defined."""
    a, b = (np.sign(differences(one)) for one in (people, scores))
    there = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(there, a, 0.0), np.where(there, b, 0.0)
    possible = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    defined = possible > 0
    if not defined.any():
        return float("nan")
    return float(((a * b).sum(0)[defined] / possible[defined]).mean())


def pairwise_accuracy(people: Floats, scores: Floats) -> float:
    """The share of pairs of systems that the scores order as people do."""
    a, b, _ = _of_pairs(people, scores)
    return float((np.sign(a) == np.sign(b)).mean()) if len(a) else float("nan")


def soft_pairwise_accuracy(people: Floats, scores: Floats) -> float:
    """1 less the mean distance of two p-values over pairs of systems: that the one is better by
    people, and by the scores. One-sided, of a paired permutation test over samples, by the normal
    distribution that as many sign flips as there could be come to."""
    from scipy.special import ndtr

    a, b, (of_a, of_b) = _of_pairs(people, scores)
    if not len(a):
        return float("nan")
    # where all samples are tied, the one is better with probability one half
    by_people = np.divide(a, of_a, out=np.zeros_like(a), where=of_a > 0)
    by_scores = np.divide(b, of_b, out=np.zeros_like(b), where=of_b > 0)
    return float(1 - np.abs(ndtr(by_people) - ndtr(by_scores)).mean())


def permutation_test(
    people: Floats, a: Floats, b: Floats, statistic: Statistic, permutations: int, seed: int
) -> tuple[float, float]:
    """How much better the statistic of scores `a` is than that of `b`, and its two-sided p-value:
    how often that much comes of exchanging the two, standardised, at random outputs."""
    there = np.isfinite(people) & np.isfinite(a) & np.isfinite(b)
    one, other = (standardised(np.where(there, each, np.nan)) for each in (a, b))
    held = np.where(there, people, np.nan)
    found = statistic(held, one) - statistic(held, other)
    if not np.isfinite(found):
        return float("nan"), float("nan")
    draw, further = np.random.default_rng(seed), 1
    for _ in range(permutations):
        swapped = draw.integers(0, 2, there.shape, dtype=np.int8) == 1
        first, second = np.where(swapped, other, one), np.where(swapped, one, other)
        drawn = statistic(held, first) - statistic(held, second)
        further += int(not abs(drawn) < abs(found) * (1 - SLACK))  # NaN counts as further
    return float(found), further / (permutations + 1)


def _means(people: Floats, scores: Floats) -> tuple[Floats, Floats]:
    there = np.isfinite(people) & np.isfinite(scores)
    count = there.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (np.where(there, one, 0.0).sum(1) / count for one in (people, scores))
    return a, b


def _of_pairs(people: Floats, scores: Floats) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """(P,) differences of every two systems over samples that both have, people's and the scores',
    each summed, and the deviations of these under sign flips."""
    a, b = differences(people), differences(scores)
    there = np.isfinite(a) & np.isfinite(b)
    some = there.any(1)
    a, b = np.where(there, a, 0.0)[some], np.where(there, b, 0.0)[some]
    return a.sum(1), b.sum(1), (np.sqrt((a * a).sum(1)), np.sqrt((b * b).sum(1)))
