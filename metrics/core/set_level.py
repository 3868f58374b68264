"""The tests of metrics of the whole set: the paired jackknife of a cell's pairs, all at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metrics.core.alignment import Side
from metrics.core.blocks import Block, flat, in_chunks
from metrics.core.rows import Floats, Ints
from metrics.statistics import paired_jackknife
from metrics.statistics.paired import Difference
from metrics.statistics.resampling import dear


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
            flat(without[:, left]),
            flat(without[:, right]),
            given.values[left].ravel(),
            given.values[right].ravel(),
            units=len(given.keys),
            variance=(extra[left] + extra[right]).ravel(),
            excess=excess(left, right),
            level=given.cell.level,
        )

    return in_chunks(given, without[:, 0].size, test)


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
            flat(drawn[:, left]),
            flat(drawn[:, right]),
            flat(without[:, left]),
            flat(without[:, right]),
        )
    if any(one is None for one in shared) or given.found is not None:
        return lambda left, right: None
    own = (without**2).sum(0)  # (M, S)
    counted = np.stack([one for one in shared if one is not None])

    def of(left: Ints, right: Ints) -> Floats:
        ends = counted[left], counted[right], own[left], own[right]
        return paired_jackknife.excess_counted(*ends).ravel()

    return of


def _variance(side: Side, scores: int) -> Floats:
    own = side.result.settled.variance
    return np.zeros(scores) if own is None else own
