"""A cell laid out for its tests: its systems' rows, values and samples, a column a pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from metrics.core.alignment import Aligned, Cell, Grouping, Side, rows_of, samples_of
from metrics.core.metric import BoundMetric
from metrics.core.result import units_of
from metrics.core.rows import Floats, Ints
from metrics.core.settling import Mask
from metrics.statistics.clusters import Clusters, clusters
from metrics.statistics.paired import Difference
from metrics.statistics.resampling import evaluate
from metrics.statistics.weights import Keys, totals, unit_keys

CELLS = 1_000_000  # numbers of draws or samples that are looked at at a time: 8 MB


@dataclass(frozen=True)
class Block:
    """A cell with its systems' rows (n, C), pooled by clusters where there are some.

    samples  (n, M, S) the samples' own values, never pooled; None for set-level metrics
    found    the clusters; None: units are independent
    single   the rows before they are pooled
    """

    metric: BoundMetric
    sides: Sequence[Side]
    cell: Cell
    rows: Sequence[Floats]
    losses: Sequence[Floats | None]
    samples: Floats | None
    names: Sequence[str]
    found: Clusters | None
    single: Sequence[Floats]

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
    def rated(self) -> Floats:
        """(M, S) the cell's units that people rated; NaN for scores that go by no ratings."""
        return np.stack([units_of(self.metric, totals(one))[:, 1] for one in self.rows])

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
    names = aligned.drawn_by(cell.units, grouping)
    found = None if grouping is None else clusters(names)
    rows = single = rows_of(sides, aligned, cell)
    losses: list[Floats | None] = []
    for at in cell.systems.tolist():
        loss = sides[at].result.settled.loss
        losses.append(None if loss is None else loss[aligned.places[at, cell.units]])
    if found is not None:
        rows = [found.pooled(one) for one in rows]
    taking_part = [sides[at] for at in cell.systems.tolist()]
    samples = samples_of(sides, aligned, cell)
    return Block(metric, taking_part, cell, rows, losses, samples, names, found, single)


def flat(columns: Floats) -> Floats:
    """(R, P, S) -> (R, P · S)."""
    return columns.reshape(len(columns), -1)


def in_chunks(
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
