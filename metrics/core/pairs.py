"""The tests of a cell: pairs of systems over the same units, all at once, a column a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from metrics.core.blocks import CELLS, Block, flat, in_chunks
from metrics.core.rows import Floats, Ints
from metrics.statistics import paired, per_sample
from metrics.statistics.clusters import Clusters
from metrics.statistics.many import TIE
from metrics.statistics.paired import Difference, Recipe
from metrics.statistics.per_sample import Tested
from metrics.statistics.quantiles import t_quantile
from metrics.statistics.resampling import evaluate, replicate
from metrics.statistics.weights import swapped_sums, totals

Test = Literal["paired_bootstrap", "approximate_randomization", "mcnemar", "wilcoxon", "t"]


@dataclass(frozen=True, slots=True)
class Testing:
    """How to test: the defaults are the ones to use unless comparability asks for others.

    replicates  of the bootstrap; None: as many as the evaluations have
    level       of the differences' intervals; None: the evaluations' own, the higher of two
    tests       how many the p-values are to be corrected for together
    """

    test: Test = "paired_bootstrap"
    recipe: Recipe = "centred"
    replicates: int | None = None
    trials: int = 10_000  # of approximate randomization
    level: float | None = None
    tests: int = 1


def resampled(
    given: Block, testing: Testing, field: str | None, whole: bool
) -> list[tuple[Difference, ...]]:
    """A tuple a pair, a Difference a score: the paired bootstrap, or another test's p-value with
    its interval. `whole`: all units are compared, so that stored replicates may do."""
    drawn = _drawn(given, field, whole)  # (R, M, S)

    def test(left: Ints, right: Ints) -> tuple[Difference, ...]:
        return paired.from_replicates(
            flat(drawn[:, left]),
            flat(drawn[:, right]),
            given.values[left].ravel(),
            given.values[right].ravel(),
            units=len(given.keys),
            level=given.cell.level,
            recipe=testing.recipe,
            tests=testing.tests,
        )

    found = in_chunks(given, drawn[:, 0].size, test)
    if testing.test == "paired_bootstrap":
        return found
    if testing.test == "approximate_randomization":
        return _randomized(given, testing, found)
    return _by_sample(given, testing.test, found)


def outcomes(given: Block) -> list[list[tuple[int, int, int]]]:
    """A list a pair, a score each: samples on which a is better, neither is, and b is."""
    found: list[list[tuple[int, int, int]]] = []
    better = [one.higher_is_better for one in given.metric.scores]
    own = np.ascontiguousarray(np.moveaxis(_samples(given), 0, -1))  # (M, S, n)
    slack = TIE * np.abs(own)
    for a, b in zip(given.cell.left.tolist(), given.cell.right.tolist(), strict=True):
        gaps, tie = own[a] - own[b], np.maximum(slack[a], slack[b])
        # an axis would make it many times slower
        more = [int(np.count_nonzero(one)) for one in gaps > tie]
        less = [int(np.count_nonzero(one)) for one in gaps < -tie]
        ends = [(x, y) if up else (y, x) for up, x, y in zip(better, more, less, strict=True)]
        found.append([(wins, given.n - wins - losses, losses) for wins, losses in ends])
    return found


def _drawn(given: Block, field: str | None, whole: bool) -> Floats:
    """(R, M, S) the systems' replicates: those stored where they are these, else drawn now."""
    cell = given.cell
    found: dict[int, Floats] = {}
    for at, side in enumerate(given.sides):
        own = side.result
        fits = whole and own.seed == cell.seed and own.cluster == field
        if own.replicates is None or not fits or int((~own.missing).sum()) != given.n:
            continue
        if len(own.replicates) == cell.replicates:
            found[at] = own.replicates
    rest = [at for at in range(len(given.sides)) if at not in found]
    width = max((given.rows[at].size for at in rest), default=1)
    step = max(1, CELLS // max(1, width))
    for start in range(0, len(rest), step):
        few = rest[start : start + step]
        found |= dict(zip(few, _replicates(given, few), strict=True))
    return np.stack([found[at] for at in range(len(given.sides))], 1)


def _replicates(given: Block, few: Sequence[int]) -> list[Floats]:
    """(R, S) of each of a few systems, their rows weighted side by side."""
    rows = [given.rows[at] for at in few]
    ends = np.cumsum([one.shape[1] for one in rows])[:-1]

    def reduce(sums: Floats) -> Floats:
        parts = np.split(sums, ends, axis=-1)
        return np.concatenate([evaluate(given.metric.reduce, one) for one in parts], -1)

    cell = given.cell
    every = replicate(np.concatenate(rows, 1), given.keys, reduce, cell.seed, cell.replicates)
    return np.split(every, len(few), axis=1)


def _randomized(
    given: Block, testing: Testing, found: list[tuple[Difference, ...]]
) -> list[tuple[Difference, ...]]:
    """`found` with the p-values of approximate randomization."""
    cell = given.cell
    trials = paired.enough_trials(testing.trials, testing.tests)
    columns = given.rows[0].shape[1]
    rows = np.concatenate(given.rows, 1)
    moved = swapped_sums(rows, given.keys, cell.seed, trials).reshape(trials, -1, columns)
    sums = np.stack([totals(one) for one in given.rows])
    p_values, method = [], "counted"
    step = max(1, CELLS // (trials * columns))
    for start in range(0, len(cell.pairs), step):
        left, right = cell.left[start : start + step], cell.right[start : start + step]
        gains = moved[:, right] - moved[:, left]
        ends = sums[left], sums[right]
        p, method = paired.randomized(
            gains, *ends, given.metric.reduce, len(given.keys), testing.tests
        )
        p_values += p.tolist()
    return [
        tuple(
            replace(one, p_value=p, test="approximate_randomization", p_method=method)
            for one, p in zip(pair, ps, strict=True)
        )
        for pair, ps in zip(found, p_values, strict=True)
    ]


def _by_sample(
    given: Block, test: Test, found: list[tuple[Difference, ...]]
) -> list[tuple[Difference, ...]]:
    """`found` with the p-values of a test of the samples' own values. A t-test of a value that is
    their mean has its own interval and error, too."""
    cell, samples = given.cell, given.samples
    if samples is None:
        return found
    means: list[bool] = given.means.tolist()
    step = max(1, CELLS // max(1, samples[:, 0].size))
    changed = []
    for start in range(0, len(cell.pairs), step):
        some = slice(start, start + step)
        gaps = _gaps(given, cell.left[some], cell.right[some])
        shape = gaps.shape[1], gaps.shape[2]
        told = _tested(test, flat(gaps), given.found)
        p_values = [row.tolist() for row in told.p_values.reshape(shape)]
        errors = np.full(shape, np.nan) if told.errors is None else told.errors.reshape(shape)
        own_errors = [row.tolist() for row in errors]
        for pair, ps, own in zip(found[some], p_values, own_errors, strict=True):
            fresh = [
                replace(one, p_value=p, test=test, p_method=told.p_method)
                for one, p in zip(pair, ps, strict=True)
            ]
            if test == "t":
                fresh = [
                    _around(one, error) if mean else one
                    for one, error, mean in zip(fresh, own, means, strict=True)
                ]
            changed.append(tuple(fresh))
    return changed


def _tested(test: Test, gaps: Floats, found: Clusters | None) -> Tested:
    if test == "mcnemar":
        return per_sample.mcnemar(gaps)
    return (per_sample.paired_t if test == "t" else per_sample.wilcoxon)(gaps, found)


def _around(one: Difference, error: float) -> Difference:
    half = t_quantile(0.5 + one.level / 2, max(one.units - 1, 1)) * error
    known = bool(np.isfinite(half))
    interval = (one.value - half, one.value + half) if known else one.interval
    return replace(one, interval=interval, error=error if known else one.error)


def _gaps(given: Block, left: Ints, right: Ints) -> Floats:
    """(n, P, S) a's values less b's, zero where only rounding tells them apart."""
    samples = _samples(given)
    a, b = samples[:, left], samples[:, right]
    gaps = a - b
    return np.where(np.abs(gaps) <= TIE * np.maximum(np.abs(a), np.abs(b)), 0.0, gaps)


def _samples(given: Block) -> Floats:
    """(n, M, S) the samples' own values."""
    if given.samples is None:
        raise ValueError(f"{given.metric.name} has no values of single samples")
    return given.samples
