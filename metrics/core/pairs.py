"""The tests of a cell: pairs of systems over the same units, all at once, a column a pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from metrics.core.alignment import Aligned, Cell, Side, names_of, rows_of, samples_of
from metrics.core.metric import BoundMetric
from metrics.core.rows import Floats, Ints
from metrics.core.settling import Mask
from metrics.statistics import paired, paired_jackknife, per_sample
from metrics.statistics.clusters import Clusters, clusters
from metrics.statistics.intervals import dear, evaluate, replicate, t_quantile
from metrics.statistics.many import TIE
from metrics.statistics.paired import Difference, Recipe
from metrics.statistics.per_sample import Tested
from metrics.statistics.weights import Keys, swapped_sums, totals, unit_keys

Test = Literal["paired_bootstrap", "approximate_randomization", "mcnemar", "wilcoxon", "t"]
Gaps = Callable[[Floats, "Clusters | None"], Tested]

CELLS = 4_000_000  # numbers of draws or samples that are looked at at a time


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


@dataclass(frozen=True, slots=True)
class Grouping:
    """Samples that belong together: the field they do by, and each id's cluster."""

    field: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class Block:
    """A cell with its systems' rows (n, C), pooled by clusters where there are some.

    samples  (n, M, S) the samples' own values, never pooled; None for set-level metrics
    found    the clusters; None: units are independent
    """

    metric: BoundMetric
    sides: Sequence[Side]
    cell: Cell
    rows: Sequence[Floats]
    losses: Sequence[Floats | None]
    samples: Floats | None
    names: Sequence[str]
    found: Clusters | None

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.cell.units)

    @cached_property
    def keys(self) -> Keys:
        """(G,) of what is resampled."""
        return unit_keys(self.names) if self.found is None else self.found.keys

    @cached_property
    def values(self) -> Floats:
        """(M, S) the systems' values over the cell's units."""
        return np.stack([evaluate(self.metric.reduce, totals(one)) for one in self.rows])

    @cached_property
    def means(self) -> Mask:
        """(S,) whether a score's values are the means of the samples' own."""
        if self.samples is None:
            return np.zeros(self.values.shape[1], np.bool_)
        own = self.samples.mean(0)
        return np.asarray(np.isclose(own, self.values, rtol=1e-9, atol=1e-12).all(0))


def block(
    metric: BoundMetric,
    sides: Sequence[Side],
    aligned: Aligned,
    cell: Cell,
    grouping: Grouping | None,
) -> Block:
    """What a cell's tests are made from."""
    names = names_of(aligned, cell, None if grouping is None else grouping.names)
    found = None if grouping is None else clusters(names)
    rows = rows_of(sides, aligned, cell)
    losses: list[Floats | None] = []
    for at in cell.systems.tolist():
        loss = sides[at].result.settled.loss
        losses.append(None if loss is None else loss[aligned.places[at, cell.units]])
    if found is not None:
        rows = [found.pooled(one) for one in rows]
    taking_part = [sides[at] for at in cell.systems.tolist()]
    samples = samples_of(sides, aligned, cell)
    return Block(metric, taking_part, cell, rows, losses, samples, names, found)


def jackknifed(given: Block) -> list[tuple[Difference, ...]]:
    """A tuple a pair, a Difference a score: the paired jackknife."""
    pairs = list(zip(given.rows, given.losses, strict=True))
    grouped = any(dear(*one) for one in pairs) and all(loss is None for _, loss in pairs)
    reduce = given.metric.reduce
    left_out = [
        paired_jackknife.leaving_out(rows, given.keys, reduce, loss, grouped)[1]
        for rows, loss in pairs
    ]
    without = np.stack(left_out, 1)  # (G, M, S)
    extra = np.stack([_variance(side, given.values.shape[1]) for side in given.sides])  # (M, S)
    excess = _excess(given, without, grouped)

    def test(left: Ints, right: Ints) -> tuple[Difference, ...]:
        return paired_jackknife.from_deviations(
            _flat(without[:, left]),
            _flat(without[:, right]),
            given.values[left].ravel(),
            given.values[right].ravel(),
            units=len(given.keys),
            variance=(extra[left] + extra[right]).ravel(),
            excess=excess(left, right),
            level=given.cell.level,
        )

    return _in_chunks(given, without[:, 0].size, test)


def _excess(given: Block, without: Floats, grouped: bool) -> Callable[[Ints, Ints], Floats | None]:
    """Of pairs' variances, the share that the jackknife has too much; None where it is not known.

    Of sums of rows, from second differences; where a row is not what is lost without it, from what
    `settle` counted, as a share of the two systems' own variances.
    """
    shared = [side.result.settled.shared for side in given.sides]
    if all(loss is None for loss in given.losses) and not grouped:
        drawn = np.stack(
            [
                paired_jackknife.second_differences(one, given.keys, given.metric.reduce)
                for one in given.rows
            ],
            1,
        )  # (pairs of units, M, S)
        return lambda left, right: paired_jackknife.excess_of(
            _flat(drawn[:, left]),
            _flat(drawn[:, right]),
            _flat(without[:, left]),
            _flat(without[:, right]),
        )
    if any(one is None for one in shared) or given.found is not None:
        return lambda left, right: None
    own = (without**2).sum(0)  # (M, S)
    counted = np.stack([one for one in shared if one is not None])

    def of(left: Ints, right: Ints) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (counted[left] + counted[right]) / (own[left] + own[right])
        return np.asarray(share.ravel(), np.float64)

    return of


def resampled(
    given: Block, testing: Testing, field: str | None, whole: bool
) -> list[tuple[Difference, ...]]:
    """A tuple a pair, a Difference a score: the paired bootstrap, or another test's p-value with
    its interval. `whole`: all units are compared, so that stored replicates may do."""
    drawn = _drawn(given, field, whole)  # (R, M, S)

    def test(left: Ints, right: Ints) -> tuple[Difference, ...]:
        return paired.from_replicates(
            _flat(drawn[:, left]),
            _flat(drawn[:, right]),
            given.values[left].ravel(),
            given.values[right].ravel(),
            units=len(given.keys),
            level=given.cell.level,
            recipe=testing.recipe,
            tests=testing.tests,
        )

    found = _in_chunks(given, drawn[:, 0].size, test)
    if testing.test == "paired_bootstrap":
        return found
    if testing.test == "approximate_randomization":
        return _randomized(given, testing, found)
    return _by_sample(given, testing.test, found)


def outcomes(given: Block) -> list[list[tuple[int, int, int]]]:
    """A list a pair, a score each: samples on which a is better, neither is, and b is."""
    found: list[list[tuple[int, int, int]]] = []
    cell = given.cell
    signs = np.array([1.0 if one.higher_is_better else -1.0 for one in given.metric.scores])
    step = max(1, CELLS // max(1, given.n * len(signs)))
    for start in range(0, len(cell.pairs), step):
        gaps = _gaps(given, cell.left[start : start + step], cell.right[start : start + step])
        gaps = gaps * signs
        wins, losses = (gaps > 0).sum(0), (gaps < 0).sum(0)  # (P, S)
        counts = np.stack([wins, given.n - wins - losses, losses], -1).tolist()
        found += [[(a, b, c) for a, b, c in one] for one in counts]
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
        shape = gaps.shape[1:]
        told = _tested(test, _flat(gaps), given.found)
        p_values = told.p_values.reshape(shape).tolist()
        errors = np.full(shape, np.nan) if told.errors is None else told.errors.reshape(shape)
        own_errors: list[list[float]] = errors.tolist()
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
    if given.samples is None:
        raise ValueError(f"{given.metric.name} has no values of single samples")
    a, b = given.samples[:, left], given.samples[:, right]
    gaps = a - b
    return np.where(np.abs(gaps) <= TIE * np.maximum(np.abs(a), np.abs(b)), 0.0, gaps)


def _variance(side: Side, scores: int) -> Floats:
    own = side.result.settled.variance
    return np.zeros(scores) if own is None else own


def _flat(columns: Floats) -> Floats:
    """(R, P, S) -> (R, P · S)."""
    return columns.reshape(len(columns), -1)


def _in_chunks(
    given: Block, size: int, test: Callable[[Ints, Ints], tuple[Difference, ...]]
) -> list[tuple[Difference, ...]]:
    """The pairs' Differences, as many pairs at a time as memory allows; a pair has `size` draws."""
    cell, scores = given.cell, given.values.shape[1]
    step = max(1, CELLS // max(1, size))
    found: list[tuple[Difference, ...]] = []
    for start in range(0, len(cell.pairs), step):
        flat = test(cell.left[start : start + step], cell.right[start : start + step])
        found += [flat[at : at + scores] for at in range(0, len(flat), scores)]
    return found
