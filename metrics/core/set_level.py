"""The tests of metrics of the whole set: the paired jackknife of a cell's pairs, all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from metrics.core.blocks import Block, in_chunks
from metrics.core.metric import BoundMetric
from metrics.core.rows import Floats, Ints, Settled
from metrics.statistics.exchange import errors, exchanged, of_errors, trials_of
from metrics.statistics.paired import Difference
from metrics.statistics.paired_jackknife import (
    PAIRS,
    Deleted,
    deleted,
    differences,
    errors_of_differences,
)
from metrics.statistics.resampling import dear
from metrics.statistics.weights import Keys, totals


def jackknifed(given: Block) -> list[tuple[Difference, ...]]:
    """A tuple a pair, a Difference a score: the paired jackknife."""
    settled = [
        replace(side.result.settled, rows=rows, loss=loss)
        for side, rows, loss in zip(given.sides, given.rows, given.losses, strict=True)
    ]
    metrics = [given.metric] * len(settled)
    systems = without_units(metrics, settled, given.keys, clustered=given.found is not None)

    def at(places: Ints) -> Deleted:
        return systems.map(lambda x: x[..., places, :].reshape(*x.shape[:-2], -1))

    def test(left: Ints, right: Ints) -> tuple[Difference, ...]:
        return differences(at(left), at(right), units=len(given.keys), level=given.cell.level)

    widest = len(systems.moved) if systems.second is None else max(len(systems.moved), PAIRS)
    found = in_chunks(given, widest * given.values.shape[1], test)
    return found if not given.metric.exchanged else _exchanged(given, found)


def _exchanged(given: Block, found: list[tuple[Difference, ...]]) -> list[tuple[Difference, ...]]:
    """`found` with the scores that are tested by exchanging rows tested so."""
    cell, scores = given.cell, list(given.metric.exchanged)
    tests = exchanges(given.metric, given.rows, given.keys, scores, pairs=len(cell.pairs))
    told = []
    ends = zip(cell.left.tolist(), cell.right.tolist(), strict=True)
    for one, (left, right) in zip(found, ends, strict=True):
        apart = np.array([one[at].value for at in scores])
        error = tests(left, right)
        fresh = of_errors(apart, error, units=len(given.keys), level=cell.level)
        by_score = dict(zip(scores, fresh, strict=True))
        told.append(tuple(by_score.get(at, one[at]) for at in range(len(one))))
    return told


def error_of_difference(
    metric: BoundMetric,
    settled: tuple[Settled, Settled],
    keys: Keys,
    score: int,
    *,
    clustered: bool,
) -> tuple[float, float]:
    """Standard error of two systems' difference in a score, and its degrees of freedom: those of
    the tests above. The `settled` are over the same units."""
    if score in metric.exchanged:
        rows = [one.rows for one in settled]
        error = exchanges(metric, rows, keys, [score], pairs=1)(0, 1)
        return float(error[0]), max(len(keys) - 1.0, 1.0)
    systems = without_units([metric] * 2, settled, keys, clustered=clustered)
    a, b = systems.map(lambda x: x[..., 0, :]), systems.map(lambda x: x[..., 1, :])
    errors, freedom = errors_of_differences(a, b)
    return float(errors[score]), float(freedom[score])


def exchanges(
    metric: BoundMetric,
    rows: Sequence[Floats],
    keys: Keys,
    scores: Sequence[int],
    *,
    pairs: int,
) -> Callable[[int, int], Floats]:
    """What tells the standard errors of two systems' differences in these scores, by the exchange
    test: of systems' rows (n, C) over the same units, `pairs` of which are to be tested."""
    trials = trials_of(pairs)
    systems = [exchanged(one, keys, trials=trials) for one in rows]

    def reduce(sums: Floats) -> Floats:
        return np.asarray(metric.reduce(sums)[..., scores], np.float64)

    def error(left: int, right: int) -> Floats:
        orders = metric.exchange_orders(rows[left], rows[right])
        return errors(systems[left], systems[right], orders, reduce, len(keys))

    return error


def without_units(
    metrics: Sequence[BoundMetric], settled: Sequence[Settled], keys: Keys, *, clustered: bool
) -> Deleted:
    """(..., N, S) of N systems: their values, and what leaving units out does to them.

    settled    over the same units, whose `keys` (n,) are
    clustered  whether units are clusters: what `settle` counted (`shared`) is of single samples
    """
    grouped = any(dear(one.rows, one.loss) for one in settled)
    grouped = grouped and all(one.loss is None for one in settled)
    return Deleted.stack(
        [
            deleted(
                one.rows,
                keys,
                metric.reduce,
                loss=one.loss,
                grouped=grouped,
                bounds=metric.bounds(totals(one.rows)) if metric.metric.arcsine else None,
                shared=None if clustered or grouped else one.shared,
                variance=one.variance,
                freedom=one.freedom,
            )
            for metric, one in zip(metrics, settled, strict=True)
        ]
    )
