"""The tests of metrics of the whole set: the paired jackknife of a cell's pairs, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from metrics.core.blocks import Block, in_chunks
from metrics.core.metric import BoundMetric
from metrics.core.rows import Ints, Settled
from metrics.statistics.paired import Difference
from metrics.statistics.paired_jackknife import PAIRS, Deleted, deleted, differences
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
    return in_chunks(given, widest * given.values.shape[1], test)


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
