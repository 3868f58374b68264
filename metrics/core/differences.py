"""Two results over the same units, with the error of any combination of their values.

Everything comes from stored rows: values without one unit (or cluster, or group of units) at a time
give the jackknife's error of either value, of their difference, and of one less a share of the
other, whatever the score is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.errors import ReportedError
from metrics.core.clustered import untestable
from metrics.core.metric import BoundMetric
from metrics.core.result import Result
from metrics.core.rows import Floats, Ints
from metrics.statistics.clusters import clusters
from metrics.statistics.resampling import dear, delete_variance, evaluate, left_out
from metrics.statistics.weights import totals, unit_keys

ROUNDING = 1e-12  # of the values: an error below that is none


@dataclass(frozen=True, slots=True)
class Stored:
    """One metric's stored result, with the ids of its units in order."""

    result: Result
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Matched:
    """Where the units to compare stand in two results, and the cluster of each if they have one."""

    at_a: Ints
    at_b: Ints
    names: Sequence[str] | None = None


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
    a: Stored,
    b: Stored,
    *,
    within: Collection[str] | None = None,
    cluster: Mapping[str, str] | None = None,
) -> Matched:
    """The units that count in both, in a's order.

    within   ids of a slice; None: all
    cluster  each id's cluster; None: units are independent

    Raises ReportedError where there are none, or the metric depends on the whole set and the sets
    are not the same, or cannot be tested over clusters.
    """
    at_a, at_b = _shared(a.ids, b.ids)
    if metric.interval == "jackknife":
        if within is not None:
            raise ReportedError(f"{metric.name} depends on the whole set: it has no rows of slices")
        if not len(at_a) == len(a.ids) == len(b.ids):
            raise ReportedError(f"{metric.name} depends on the whole set, and the sets differ")
        refused = untestable(metric, [one.result.settled for one in (a, b)])
        if cluster is not None and refused is not None:
            raise ReportedError(refused)
    else:
        counted = ~(a.result.missing[at_a] | b.result.missing[at_b])
        if within is not None:
            chosen = frozenset(within)
            counted &= np.array([a.ids[at] in chosen for at in at_a], np.bool_)
        at_a, at_b = at_a[counted], at_b[counted]
    if not len(at_a):
        raise ReportedError("no sample counts in both")
    names = None if cluster is None else [cluster[a.ids[at]] for at in at_a]
    return Matched(at_a, at_b, names)


def values(metric: BoundMetric, a: Stored, b: Stored, units: Matched, score: int) -> Values:
    """The values of the metric's `score`, by its index, over the units."""
    found = clusters(units.names) if units.names is not None else None
    keys = unit_keys([a.ids[at] for at in units.at_a]) if found is None else found.keys
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


def own_values(metric: BoundMetric, one: Stored, at: Ints, score: int) -> Floats | None:
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


def _shared(ids_a: Sequence[str], ids_b: Sequence[str]) -> tuple[Ints, Ints]:
    """Where the units that both have stand in either, in a's order."""
    places = {one: index for index, one in enumerate(ids_b)}
    pairs = [(index, places[one]) for index, one in enumerate(ids_a) if one in places]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
