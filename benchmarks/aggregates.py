"""`python -m benchmarks.aggregates`: how often a board over several sets is right, by simulation.

A board is right where the rank intervals of all its systems hold their true ranks at once: at least
95% of boards should be. Values are a sample's difficulty, common to all, and a system's own noise,
skewed as lengths are (gamma) or normal, in three sets of n, 2n and 4n samples. Systems are equal in
every set, or each differs from set to set (normal, a standard deviation of 0.2; the noise has 1).
`value`: the share of intervals of the aggregate itself that hold the true one (nominal 95; those of
ranks hold at once, which is more). `told`: pairs that are told apart. Standard error of a share of
boards: 1.1 points at 95%.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from metrics.statistics.aggregates import Aggregate, Part, by_ranks, linear, midranks
from metrics.statistics.many import covariance_test
from metrics.statistics.resampling import replicate
from metrics.statistics.weights import Floats, unit_keys

BOARDS = 400
SHAPES = ("normal", "gamma")
SIZES = ((5, 20), (5, 100), (20, 20), (20, 100))
REPLICATES = 500


def part(chance: np.random.Generator, shape: str, means: Floats, n: int, group: str) -> Part:
    """Systems with these means on n samples whose ids are those of every other set."""
    size = (len(means), n)
    own = chance.normal(size=size) if shape == "normal" else (chance.gamma(0.5, size=size) - 0.5)
    given = means[:, None] + chance.normal(size=n) + own / (1 if shape == "normal" else 0.5**0.5)
    rows = np.concatenate([given.T, np.ones((n, 1))], axis=1)
    keys = unit_keys([str(at) for at in range(n)])
    drawn = replicate(rows, keys, lambda sums: sums[..., :-1] / sums[..., -1:], 0, REPLICATES)
    values = given.mean(1)
    nothing = np.zeros(len(means), np.bool_)
    return Part(values, covariance_test(values, drawn, n), drawn, nothing, group)


def holds(found: Aggregate, truth: Floats, *, higher: bool) -> bool:
    """Whether all rank intervals hold the true ranks."""
    worth = truth if higher else -truth
    better = (worth[None, :] > worth[:, None] + 1e-9).sum(1)
    worse = (worth[None, :] < worth[:, None] - 1e-9).sum(1)
    best, worst = found.ranks.best, found.ranks.worst
    return bool((best <= 1 + better).all() and (worst >= len(truth) - worse).all())


def right(shape: str, systems: int, n: int, boards: int, *, equal: bool) -> dict[str, Floats]:
    """Of each aggregate, the shares: all ranks hold, a value's interval holds, pairs told."""
    chance = np.random.default_rng([systems, n, SHAPES.index(shape), equal])
    found = {"mean": np.zeros(3), "mean_rank": np.zeros(3)}
    for _ in range(boards):
        means = [chance.normal(scale=0.0 if equal else 0.2, size=systems) for _ in range(3)]
        parts = [part(chance, shape, own, n * 2**at, str(at)) for at, own in enumerate(means)]
        ones = np.zeros(systems, np.bool_)
        truths = {
            "mean": np.mean(means, axis=0),
            "mean_rank": np.mean([midranks(own[None], ones)[0] for own in means], axis=0),
        }
        made = {"mean": linear(parts, [1 / 3] * 3, [0.0] * 3), "mean_rank": by_ranks(parts)}
        for name, one in made.items():
            truth = truths[name]
            covered = (one.low - 1e-9 <= truth) & (truth <= one.high + 1e-9)
            told = (one.ranks.best - 1).sum() / (systems * (systems - 1) / 2)
            ranked = holds(one, truth, higher=name == "mean")
            found[name] += np.array([ranked, covered.mean(), told])
    return {name: counts / boards for name, counts in found.items()}


def lines(boards: int) -> Iterator[str]:
    yield "| noise | systems | n | | mean: ranks | value | told | mean_rank: ranks | value | told |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for equal in (True, False):
        for shape in SHAPES:
            for systems, n in SIZES:
                found = right(shape, systems, n, boards, equal=equal).values()
                shown = " | ".join(f"{100 * share:.1f}" for one in found for share in one)
                which = "equal" if equal else "differ"
                yield f"| {shape} | {systems} | {n} | {which} | {shown} |"


if __name__ == "__main__":
    asked = argparse.ArgumentParser(prog="python -m benchmarks.aggregates", description=__doc__)
    asked.add_argument("--boards", type=int, default=BOARDS)
    for line in lines(asked.parse_args().boards):
        print(line, flush=True)
