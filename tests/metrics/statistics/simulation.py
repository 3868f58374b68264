"""Many data sets at once: each is one 'score' of a wide matrix, so one call tests them all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metrics.statistics.weights import Floats, Keys, unit_keys, weighted_sums

Statistic = Callable[[Floats], Floats]  # sums (..., C) -> value (...)


def keys(n: int) -> Keys:
    return unit_keys([f"unit {i}" for i in range(n)])


def drawn(
    keys: Keys,
    seed: int,
    replicates: int,
    sums: Callable[[Floats, Keys, int, int], Floats] = weighted_sums,
) -> Floats:
    """(R, n) the weights that `sums` draws: its sums of rows that are 1 for one unit each."""
    parts = np.array_split(keys, -(-len(keys) // 100))
    return np.concatenate([sums(np.eye(len(part)), part, seed, replicates) for part in parts], 1)


def side_by_side(rows: Floats) -> Floats:
    """(sims, n, C) -> (n, sims * C)"""
    sims, n, width = rows.shape
    return np.ascontiguousarray(rows.transpose(1, 0, 2).reshape(n, sims * width))


def each(statistic: Statistic, sims: int) -> Callable[[Floats], Floats]:
    """A reduce that applies `statistic` to every data set's own columns."""

    def reduce(sums: Floats) -> Floats:
        return statistic(sums.reshape(*sums.shape[:-1], sims, -1))

    return reduce


def ratio(sums: Floats) -> Floats:
    return sums[..., 0] / sums[..., 1]


def perplexity(sums: Floats) -> Floats:
    return np.asarray(np.exp(sums[..., 0] / sums[..., 1]), np.float64)


def bleu(sums: Floats) -> Floats:
    """Sums: clipped matches of four orders, totals of four orders, length, references' length."""
    precision = np.log(sums[..., :4] / sums[..., 4:8]).mean(-1)
    brevity = np.minimum(0.0, 1 - sums[..., 9] / sums[..., 8])
    return np.asarray(100 * np.exp(precision + brevity), np.float64)


def bleu_rows(rng: np.random.Generator, shape: tuple[int, int], skill: Floats) -> Floats:
    """(sims, n, 10) statistics of sentences of 8–40 words; `skill` (sims, n) raises precisions."""
    length = rng.integers(8, 41, shape)
    reference = np.maximum(length + rng.integers(-3, 5, shape), 1)
    totals = np.stack([length - order for order in range(4)], -1)
    chance = np.clip(np.array([0.6, 0.4, 0.27, 0.18]) + skill[..., None], 0.01, 0.99)
    matches = rng.binomial(totals, chance)
    return np.concatenate([matches, totals, length[..., None], reference[..., None]], -1).astype(
        float
    )
