"""Rows: what a set's evidence amounts to, one row per sample; the value is `reduce(rows.sum(0))`.

Here are the ways that do for most metrics; others write a `settle` and a `reduce` of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inference.sentences import Sentence
from metrics.core.evidence import Evidence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Pooling = Literal["pool", "average"]  # a sample's several outputs: rows added up, or averaged


@dataclass(frozen=True, slots=True)
class Settled:
    """What `settle` makes of the whole set's evidence.

    rows       (n_units, n_columns) finite float64; the value is reduce(rows.sum(0))
    loss       (n_units, n_columns) what the sums lose when a unit is left out, where that is not
               its row (an n-gram shared with another unit is not lost): the jackknife's input
    variance   (n_scores,) added to the jackknife's variance (MAUVE: over seeds)
    freedom    degrees of freedom of `variance`; None: it is known
    shared     (n_scores,) what the jackknife's variance has too much, where that is not in the
               rows (see statistics.paired_jackknife)
    signature  what the set itself adds to the signature (the idf corpus's digest)
    warnings   sentences for the reader of the score
    """

    rows: Floats
    loss: Floats | None = None
    variance: Floats | None = None
    signature: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Sentence, ...] = ()
    shared: Floats | None = None
    freedom: float | None = None

    def take(self, chosen: Ints) -> Settled:
        """Of the `chosen` units alone."""
        loss = None if self.loss is None else self.loss[chosen]
        return replace(self, rows=self.rows[chosen], loss=loss)


def pool(values: Floats, unit: Ints) -> Floats:
    """(n_items, c) -> (n_units, c): the items of a unit added up."""
    rows = np.zeros((int(unit.max(initial=-1)) + 1, values.shape[1]), np.float64)
    if len(unit) and bool(np.all(unit[1:] >= unit[:-1])):
        starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
        rows[unit[starts]] = np.add.reduceat(values.astype(np.float64), starts, axis=0)
    else:
        np.add.at(rows, unit, values)
    return rows


def average(values: Floats, unit: Ints) -> Floats:
    """(n_items, c) -> (n_units, c): the items of a unit averaged."""
    rows = pool(values, unit)
    counts = np.bincount(unit, minlength=len(rows)).astype(np.float64)
    return rows / np.maximum(counts, 1.0)[:, None]


def settle_by_pooling(evidence: Evidence, unit: Ints, params: Any) -> Settled:
    """For metrics whose evidence is the row, and whose outputs add up."""
    return Settled(pool(evidence["row"].astype(np.float64), unit))


def settle_by_averaging(evidence: Evidence, unit: Ints, params: Any) -> Settled:
    """For metrics whose evidence is the row, and whose outputs are averaged."""
    return Settled(average(evidence["row"].astype(np.float64), unit))


SETTLE: Mapping[Pooling | None, Callable[[Evidence, Ints, Any], Settled]] = {
    "pool": settle_by_pooling,
    "average": settle_by_averaging,
}


def mean(sums: Floats, params: Any) -> Floats:
    """Reduce of rows (value_1, ..., value_s, 1): the means, (..., s); NaN where nothing counted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[..., :-1] / sums[..., -1:], np.float64)
