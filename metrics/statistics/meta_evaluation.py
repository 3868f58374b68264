"""Metrics held to people's ratings of several systems' outputs, as WMT does it.

    people, scores  (M, N)  M systems, N samples; more is better; NaN where there is none
    kept            (N,)    bool, the samples that are looked at

What lacks either number is left out. `by_sample` compares systems on one sample at a time, so that
hard samples do not look like bad systems; the others compare systems by their means.

Source: Kendall (1945), tau-b; Deutsch, Foster, Freitag (2023), arXiv:2305.14324 (acc_eq); Kocmi et
al. (2021), arXiv:2107.10821 (pairwise accuracy); Thompson et al. (2024), arXiv:2409.09598 (soft
pairwise accuracy); Deutsch, Dror, Roth (2021), arXiv:2104.00054 (PERM-BOTH). Definitions as in
mt-metrics-eval's `stats`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metrics.statistics.weights import Floats

Statistic = Callable[[Floats, Floats], float]  # of (people, scores)

SLACK = 1e-12  # relative: rounding must not make a difference


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
    a, b = (np.sign(_differences(one)) for one in (people, scores))
    there = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(there, a, 0.0), np.where(there, b, 0.0)
    possible = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    defined = possible > 0
    if not defined.any():
        return float("nan")
    return float(((a * b).sum(0)[defined] / possible[defined]).mean())


def accuracy_with_ties(people: Floats, scores: Floats) -> tuple[float, float]:
    """The share of pairs of outputs of one sample that are ordered, or tied, as people have them,
    and the difference in scores up to which a pair counts as tied: the one of the highest share."""
    a, b = _differences(people).ravel(), _differences(scores).ravel()
    there = np.isfinite(a) & np.isfinite(b)
    a, b = a[there], b[there]
    if not len(a):
        return float("nan"), float("nan")
    sizes = np.abs(b)
    order = np.argsort(sizes, kind="stable")
    right = (np.sign(a) == np.sign(b)) & (b != 0)
    # the pairs up to a place in the order are tied, the others are not
    tied = np.r_[0, np.cumsum(a[order] == 0)]
    ordered = np.r_[right.sum(), right.sum() - np.cumsum(right[order])]
    # ties reach as far as a size does, and sizes that rounding tells apart are one
    ends = np.r_[np.diff(sizes[order]) > SLACK * np.nanmax(np.abs(scores)), True]
    places = np.flatnonzero(np.r_[sizes[order][0] > 0, ends])
    share = (tied + ordered)[places] / len(a)
    best = int(np.argmax(share))
    place = int(places[best])
    return float(share[best]), float(sizes[order][place - 1]) if place else 0.0


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
    one, other = (_standardised(np.where(there, each, np.nan)) for each in (a, b))
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


def _standardised(values: Floats) -> Floats:
    spread = np.nanstd(values) if np.isfinite(values).any() else 0.0
    return np.asarray((values - np.nanmean(values)) / (spread or 1.0), np.float64)


def _differences(values: Floats) -> Floats:
    """(P, N) of every two systems; 0 where only rounding tells them apart."""
    left, right = np.triu_indices(len(values), 1)
    a, b = values[left], values[right]
    found = a - b
    return np.where(np.abs(found) <= SLACK * np.maximum(np.abs(a), np.abs(b)), 0.0, found)


def _means(people: Floats, scores: Floats) -> tuple[Floats, Floats]:
    there = np.isfinite(people) & np.isfinite(scores)
    count = there.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (np.where(there, one, 0.0).sum(1) / count for one in (people, scores))
    return a, b


def _of_pairs(people: Floats, scores: Floats) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """(P,) differences of every two systems over samples that both have, people's and the scores',
    each summed, and the deviations of these under sign flips."""
    a, b = _differences(people), _differences(scores)
    there = np.isfinite(a) & np.isfinite(b)
    some = there.any(1)
    a, b = np.where(there, a, 0.0)[some], np.where(there, b, 0.0)[some]
    return a.sum(1), b.sum(1), (np.sqrt((a * a).sum(1)), np.sqrt((b * b).sum(1)))
