"""Two results over the same units, with the error of any combination of their values.

Everything comes from stored rows: values without one unit (or cluster, or group of units) at a time
give the jackknife's error of either value, of their difference, and of one less a share of the
other, whatever the score is. Of metrics of the whole set the difference's error is that by which
comparisons and boards test it, and that of other combinations is as much wider or narrower than the
jackknife's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inference.errors import ReportedError
from metrics.core.alignment import NO_SHARED_VALUE, Grouping, Side, align, refusal
from metrics.core.metric import BoundMetric
from metrics.core.rows import Floats, Ints
from metrics.core.set_level import errors_of_a_pair
from metrics.statistics.clusters import Clusters, clusters
from metrics.statistics.resampling import dear, delete_variance, evaluate, left_out
from metrics.statistics.weights import Keys, totals, unit_keys

ROUNDING = 1e-12  # of the values: an error below that is none


@dataclass(frozen=True, slots=True)
class Matched:
    """Where the units to compare stand in two results.

    drawn_by  (n,) the cluster of each, or its id; `grouped`: which of the two
    unanswered  units, of the slice if there is one, on which the second has a value and the first
                has none that it could have
    """

    at_a: Ints
    at_b: Ints
    drawn_by: Sequence[str]
    grouped: bool
    unanswered: int


@dataclass(frozen=True, slots=True)
class Values:
    """Two values over the same units.

    a, b            the values
    left_a, left_b  (G,) without each group of units; `sizes` (G,) says how many groups of what size
    extra_a, _b     variances to add to the jackknife's (MAUVE: over seeds)
    tested          error of the difference and its degrees of freedom, where comparisons have
                    others than the jackknife's
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
    tested: tuple[float, float] | None = None

    @property
    def freedom(self) -> float:
        """Degrees of freedom of a difference's error."""
        return max(len(self.sizes) - 1.0, 1.0) if self.tested is None else self.tested[1]

    def error(self, a: float = 1.0, b: float = -1.0) -> float:
        """Standard error of `a` times the one value and `b` times the other: of the difference.

        NaN with fewer than two units; zero where only rounding is left.
        """
        plain = self._jackknife(a, b)
        if self.tested is None or not (a and b):
            return plain
        of_difference = self._jackknife(1.0, -1.0)
        return plain * self.tested[0] / of_difference if of_difference else self.tested[0]

    def _jackknife(self, a: float, b: float) -> float:
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
    return Matched(at_a, at_b, drawn_by, grouping is not None, aligned.unanswered(1, 0))


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
        tested=_tested(metric, a, b, units, found, keys, score),
    )


def _tested(
    metric: BoundMetric,
    a: Side,
    b: Side,
    units: Matched,
    found: Clusters | None,
    keys: Keys,
    score: int,
) -> tuple[float, float] | None:
    """The error by which comparisons test the difference, and its freedom, of whole sets."""
    if metric.interval != "jackknife" or len(keys) < 2:
        return None
    one, other = a.result.settled.take(units.at_a), b.result.settled.take(units.at_b)
    if found is not None:
        one, other = (replace(each, rows=found.pooled(each.rows)) for each in (one, other))
    grouped = found is not None
    errors, freedom = errors_of_a_pair(metric, (one, other), keys, clustered=grouped)
    return float(errors[score]), float(freedom[score])


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
