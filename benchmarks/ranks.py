"""`python -m benchmarks.ranks`: how often a board of equal systems is right, by simulation.

A board of equal systems is right where it calls none of them better than another: at least 95% of
boards should be. Values are a sample's difficulty, common to all, and a system's own noise, skewed
as lengths are (gamma) or normal; `missing` takes a tenth of each system's values at random, so that
each pair is tested over its own common samples. Standard error of a share: 1.5 points at 95%.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from metrics.statistics import incomplete
from metrics.statistics.many import Pairwise, covariance_test
from metrics.statistics.ranking import ranks, ranks_apart
from metrics.statistics.resampling import replicate
from metrics.statistics.stepdown import step_down
from metrics.statistics.weights import Floats, unit_keys

BOARDS = 200
SHAPES = ("normal", "gamma")
SIZES = ((10, 20), (10, 50), (50, 20), (50, 50), (50, 200))


def mean(sums: Floats) -> Floats:
    return np.asarray(sums[..., :1] / sums[..., 1:], np.float64)


def values(chance: np.random.Generator, shape: str, systems: int, n: int) -> Floats:
    """(N, n) of equal systems over the same samples."""
    hard = chance.normal(size=n)
    own = (
        chance.normal(size=(systems, n))
        if shape == "normal"
        else chance.gamma(0.5, size=(systems, n)) / 0.5**0.5
    )
    return np.asarray(hard + own, np.float64)


def whole(given: Floats, n: int) -> tuple[Floats, Pairwise, Floats]:
    """The values, their tests and replicates (R, N), as a board has them."""
    rows = np.concatenate([given.T, np.ones((n, 1))], axis=1)  # all systems in one drawing
    keys = unit_keys([str(at) for at in range(n)])
    drawn = replicate(rows, keys, lambda sums: sums[..., :-1] / sums[..., -1:], 0, 1000)
    found = given.mean(1)
    return found, covariance_test(found, drawn, n), drawn


def with_gaps(chance: np.random.Generator, given: Floats) -> Pairwise:
    """The tests where a tenth of each system's values is missing at random."""
    counted = chance.random(given.shape) >= 0.1
    rows = [np.stack([one * mask, mask * 1.0], 1) for one, mask in zip(given, counted, strict=True)]
    moved = np.stack(
        [
            incomplete.influences(one, mask, mean)[:, 0]
            for one, mask in zip(rows, counted, strict=True)
        ]
    )
    return incomplete.common_test(
        incomplete.shared_values(rows, counted, mean)[:, :, 0], moved, counted
    )


def right(shape: str, systems: int, n: int, boards: int) -> dict[str, float]:
    """The share of boards that call no system better, by what ranks rest on."""
    chance = np.random.default_rng([systems, n, SHAPES.index(shape)])
    none = np.zeros(4)
    for _ in range(boards):
        given = values(chance, shape, systems, n)
        found, pairs, drawn = whole(given, n)
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        missing = with_gaps(chance, given)
        tried = (
            ranks(found, pairs.p_values),
            ranks(found, step_down(pairs, drawn), correct=np.copy),
            ranks_apart(found, low, high, 0.95),
            ranks(found, missing.p_values, differences=missing.differences),
        )
        none += [bool((one.best == 1).all()) for one in tried]
    shares = (none / boards).tolist()
    return dict(zip(("Holm", "step-down", "intervals", "missing, Holm"), shares, strict=True))


def lines(boards: int) -> Iterator[str]:
    yield "| values | systems | n | Holm | step-down | intervals alone | missing, Holm |"
    yield "|---|---|---|---|---|---|---|"
    for shape in SHAPES:
        for systems, n in SIZES:
            shares = right(shape, systems, n, boards).values()
            shown = " | ".join(f"{100 * share:.1f}" for share in shares)
            yield f"| {shape} | {systems} | {n} | {shown} |"


if __name__ == "__main__":
    asked = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__)
    asked.add_argument("--boards", type=int, default=BOARDS)
    for line in lines(asked.parse_args().boards):
        print(line, flush=True)
