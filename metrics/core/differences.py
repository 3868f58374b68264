"""Two results over the same units, with the error of any combination of their values.

Everything comes from stored rows: values without one unit (or cluster, or group of units) at a time
give the jackknife's error of either value, of their difference, and of one less a share of the
other, whatever the score is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from inference.errors import ReportedError
from metrics.core.alignment import NO_SHARED_VALUE, Grouping, Side, align, refusal
from metrics.core.metric import BoundMetric
from metrics.core.rows import Floats, Ints
from metrics.statistics.clusters import clusters
from metrics.statistics.resampling import dear, delete_variance, evaluate, left_out
from metrics.statistics.weights import totals, unit_keys

ROUNDING = 1e-12  # of the values: an error below that is none


@dataclass(frozen=True, slots=True)
class Matched:
    """Where the units to compare stand in two results.

    drawn_by  (n,) the cluster of each, or its id; `grouped`: which of the two
    only_b    on how many units, of the slice if there is one, the second alone has a value
    """

    at_a: Ints
    at_b: Ints
    drawn_by: Sequence[str]
    grouped: bool
    only_b: int


@dataclass(frozen=True, slots=True)
class Values:
    """Two values over the same units.

    a, b            the values
    left_a, left_b  (G,) without each group of units; `sizes` (G,) says how many groups of what size
    extra_a, _b     variances to add to the jackknife's (MAUVE: over seeds)
    samples         that the values are over; `units` of them are independent: clusters, if any
    """

    a: float
    b: float
    left_a: Floats
    left_b: Floats
    sizes: Floats
    extra_a: float
    extra_b: float
    samples: int
    units: int

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the errors."""
        return max(len(self.sizes) - 1, 1)

    def error(self, a: float = 1.0, b: float = -1.0) -> float:
        """Standard error of `a` times the one value and `b` times the other: of the difference.

        NaN with fewer than two units; zero where only rounding is left.
        """
        value = np.array([a * self.a + b * self.b])
        left = (a * self.left_a + b * self.left_b)[:, None]
        variance = float(delete_variance(value, left, self.sizes)[0])
        error = float(np.sqrt(variance + a * a * self.extra_a + b * b * self.extra_b))
        scale = max(abs(a * self.a), abs(b * self.b))
        return 0.0 if error <= ROUNDING * scale else error


def match(
    metric: BoundMetric,
    a: Side,
    b: Side,
    *,
    chosen: Collection[str] | None = None,
    grouping: Grouping | None = None,
) -> Matched:
    """The units that count in both, in a's order.

    chosen    ids of a slice; None: all
    grouping  None: units are independent

    Raises ReportedError where the two cannot be compared: see `alignment.refusal`.
    """
    sides = (a, b)
    aligned = align(sides, chosen)
    why = refusal(metric, sides, aligned, (0, 1), grouping)
    if why is not None:
        raise ReportedError(why)
    units = np.flatnonzero(aligned.shared(0, 1, metric.interval == "jackknife"))
    at_a, at_b = aligned.places[:, units]
    drawn_by = aligned.drawn_by(units, grouping)
    return Matched(at_a, at_b, drawn_by, grouping is not None, aligned.only(1, 0))


def values(metric: BoundMetric, a: Side, b: Side, units: Matched, score: int) -> Values:
    """The values of the metric's `score`, by its index, over the units. Raises ReportedError where
    one of the two has none over them."""
    found = clusters(units.drawn_by) if units.grouped else None
    keys = unit_keys(units.drawn_by) if found is None else found.keys
    parts = []
    for one, at in ((a.result.settled, units.at_a), (b.result.settled, units.at_b)):
        rows, loss = one.rows[at], None if one.loss is None else one.loss[at]
        if found is not None:
            rows = found.pooled(rows)
        parts.append((rows, loss, 0.0 if one.variance is None else float(one.variance[score])))
    grouped = any(dear(rows, loss) for rows, loss, _ in parts)
    grouped = grouped and all(loss is None for _, loss, _ in parts)
    left = [left_out(rows, keys, metric.reduce, loss, grouped) for rows, loss, _ in parts]
    whole = [float(evaluate(metric.reduce, totals(rows))[score]) for rows, _, _ in parts]
    if not np.isfinite(whole).all():
        raise ReportedError(NO_SHARED_VALUE)
    return Values(
        a=whole[0],
        b=whole[1],
        left_a=left[0][0][:, score],
        left_b=left[1][0][:, score],
        sizes=left[0][1],
        extra_a=parts[0][2],
        extra_b=parts[1][2],
        samples=len(units.at_a),
        units=len(keys),
    )


def own_values(metric: BoundMetric, one: Side, at: Ints, score: int) -> Floats | None:
    """(n,) what each unit says, where the score is their plain mean, each counting for one; None
    where it is not. The value of a corpus may equal the mean by chance: its rows tell."""
    table, rows = one.result.per_sample, one.result.settled.rows[at]
    if table is None or not len(at):
        return None
    if rows.shape[1] != len(metric.scores) + 1 or not bool(np.all(rows[:, -1] == 1.0)):
        return None
    column = np.asarray(table[at, score], np.float64)
    whole = float(evaluate(metric.reduce, totals(rows))[score])
    return column if np.isclose(column.mean(), whole, rtol=1e-9, atol=1e-12) else None
