"""The tests of all pairs of systems on one dataset by one score, from their stored results.

Systems that have values on the same samples are tested by the covariance of their stored
replicates. A pair that lacks values on different samples is tested over those that both have; a
metric of the whole set by leaving samples out. No loop is over pairs.

    names  (n,)  what each sample belongs together with: the clusters that are resampled, or None
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metrics.core.clustered import untestable
from metrics.core.compare import REPLICATES
from metrics.core.metric import BoundMetric
from metrics.core.result import Result
from metrics.core.rows import Floats, Ints
from metrics.core.set_level import exchanges, without_units
from metrics.statistics import incomplete
from metrics.statistics.clusters import Clusters, clusters
from metrics.statistics.deletions import deletion_test, linear_replicates
from metrics.statistics.many import Pairwise, covariance_test, two_sided
from metrics.statistics.resampling import replicate
from metrics.statistics.weights import Keys, unit_keys
from service.leaderboards.paired import PairedResult

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PairTests:
    """What the tests of N systems found.

    pairs       (N, N) each; NaN where there is none
    replicates  (R, N) of one seed, each over the samples that its system has; NaN without any
    counted     (N, n) which samples each has a value on; None where rows are gone
    exchanged   whether the tests exchange rows, rather than leave units out
    refused     why nothing is tested, though rows are there
    """

    pairs: Pairwise
    replicates: Floats
    counted: Mask | None
    exchanged: bool = False
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Testable:
    """The systems that can be tested, and what is resampled.

    field  that the samples belong together by; None: they are independent
    """

    systems: Sequence[PairedResult]
    counted: Mask  # (N, n)
    field: str | None
    names: Sequence[str] | None

    @property
    def values(self) -> Floats:
        """(N,) of the score in question."""
        return np.array([one.value for one in self.systems], np.float64)

    def clusters(self, mask: Mask) -> Clusters | None:
        """Those of the samples in `mask` (n,), as the evaluations' own intervals have them."""
        if self.names is None:
            return None
        return clusters([self.names[at] for at in np.flatnonzero(mask).tolist()])

    def units(self, mask: Mask) -> int:
        """How many are resampled, of the samples in `mask` (n,)."""
        found = self.clusters(mask)
        return int(mask.sum()) if found is None else len(found.names)


def pairs_between(
    paired: Sequence[PairedResult | None],
    field: str | None = None,
    names: Sequence[str] | None = None,
) -> PairTests:
    """The tests of all pairs of N systems' results."""
    n = len(paired)
    at = [place for place, one in enumerate(paired) if one is not None and one.value is not None]
    there = [one for one in paired if one is not None and one.value is not None]
    refused = there[0].declared.no_interval or None if there else None
    if there and names is not None and refused is None:
        refused = untestable(there[0].metric, [one.result.settled for one in there])
    if not there or refused is not None:
        nothing = np.full((n, n), np.nan)
        return PairTests(Pairwise(*[nothing] * 4), np.full((1, n), np.nan), None, refused=refused)
    counted = np.stack([~one.result.missing for one in there])
    given = Testable(there, counted, field, names)
    by_deletion = there[0].metric.interval == "jackknife"
    pairs, drawn = (_by_deletion if by_deletion else _by_resampling)(given)
    exchanged = by_deletion and there[0].index in there[0].metric.exchanged
    if len(there) == n:
        return PairTests(pairs, drawn, counted, exchanged)
    inner = np.ix_(at, at)

    def spread(found: Floats) -> Floats:
        whole = np.full((n, n), np.nan)
        whole[inner] = found
        return whole

    parts = (pairs.differences, pairs.errors, pairs.p_values, pairs.units)
    every = np.full((len(drawn), n), np.nan)
    every[:, at] = drawn
    return PairTests(Pairwise(*map(spread, parts)), every, None, exchanged)


def _by_resampling(given: Testable) -> tuple[Pairwise, Floats]:
    groups: dict[bytes, list[int]] = {}
    for place, mask in enumerate(np.packbits(given.counted, axis=1)):
        groups.setdefault(mask.tobytes(), []).append(place)
    drawn, values = _replicates(given), given.values
    if len(groups) == 1:
        return covariance_test(values, drawn, given.units(given.counted[0])), drawn
    found = _over_common(given)
    for group in groups.values():
        units = given.units(given.counted[group[0]])
        own = covariance_test(values[group], drawn[:, group], units)
        inner = np.ix_(group, group)
        for whole, part in (
            (found.differences, own.differences),
            (found.errors, own.errors),
            (found.p_values, own.p_values),
            (found.units, own.units),
        ):
            whole[inner] = part
    return found, drawn


def _over_common(given: Testable) -> Pairwise:
    first = given.systems[0]
    rows = [one.result.settled.rows for one in given.systems]
    values = incomplete.shared_values(rows, given.counted, first.metric.reduce)[:, :, first.index]
    moved = np.stack(
        [
            incomplete.influences(own, mask, one.metric.reduce)[:, one.index]
            for own, mask, one in zip(rows, given.counted, given.systems, strict=True)
        ]
    )
    every = given.clusters(np.ones(given.counted.shape[1], np.bool_))
    return incomplete.common_test(values, moved, given.counted, every)


def _replicates(given: Testable) -> Floats:
    """(R, N) of one seed and number, over the clusters in question: those that were stored
    otherwise are drawn again."""
    stored = Counter(
        (one.result.seed, len(one.result.replicates))
        for one in given.systems
        if one.result.replicates is not None and one.result.cluster == given.field
    )
    seed, count = stored.most_common(1)[0][0] if stored else (0, REPLICATES)
    columns = []
    for one in given.systems:
        drawn = one.result.replicates
        alike = drawn is not None and (one.result.cluster, one.result.seed, len(drawn)) == (
            given.field,
            seed,
            count,
        )
        if drawn is None or not alike:
            drawn = _redrawn(given, one, seed, count)
        columns.append(drawn[:, one.index])
    return np.stack(columns, axis=1)


def _redrawn(given: Testable, one: PairedResult, seed: int, count: int) -> Floats:
    kept = ~one.result.missing
    rows, found = one.result.settled.rows[kept], given.clusters(kept)
    if found is not None:
        return replicate(found.pooled(rows), found.keys, one.metric.reduce, seed, count)
    keys = unit_keys([one.ids[at] for at in np.flatnonzero(kept).tolist()])
    return replicate(rows, keys, one.metric.reduce, seed, count)


def _by_deletion(given: Testable) -> tuple[Pairwise, Floats]:
    """Rows of such metrics depend on the set: all are taken, missing ones are zero."""
    settled = [one.result.settled for one in given.systems]
    every = given.clusters(np.ones(given.counted.shape[1], np.bool_))
    keys = unit_keys(given.systems[0].ids)
    if every is not None:
        settled = [replace(own, rows=every.pooled(own.rows)) for own in settled]
        keys = every.keys
    metrics, size = [one.metric for one in given.systems], len(keys)
    score = given.systems[0].index
    found = without_units(metrics, settled, keys, clustered=every is not None)
    systems = found.map(lambda x: x[..., score])
    groups, keys_of_all = len(systems.moved), keys
    if groups < size:
        keys = unit_keys([str(number) for number in range(groups)])
    drawn = linear_replicates(systems, keys, seed=0, replicates=REPLICATES)
    tests = deletion_test(systems)
    if score in metrics[0].exchanged:
        tests = _by_exchange(tests, metrics[0], [own.rows for own in settled], keys_of_all, score)
    # a p-value knows the groups that were left out; what it rests on is all units
    return replace(tests, units=np.full_like(tests.units, size)), drawn


def _by_exchange(
    found: Pairwise, metric: BoundMetric, rows: Sequence[Floats], keys: Keys, score: int
) -> Pairwise:
    """`found` with the errors and p-values of the exchange test: pair by pair, for what changes
    places depends on both."""
    left, right = np.triu_indices(len(rows), 1)
    error = exchanges(metric, rows, keys, [score], pairs=len(left))
    errors = np.zeros_like(found.errors)
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        errors[a, b] = errors[b, a] = error(a, b)[0]
    p_values = two_sided(found.differences, errors, len(keys))
    np.fill_diagonal(p_values, np.nan)
    return replace(found, errors=errors, p_values=p_values)


def in_common(
    paired: Sequence[PairedResult | None], counted: Mask | None
) -> tuple[int | None, Floats]:
    """On how many samples all have a value, and (N,) the values over these."""
    values = np.full(len(paired), np.nan)
    if counted is None:
        return None, values
    common = np.logical_and.reduce(counted)
    for place, one in enumerate(paired):
        if one is None or one.value is None:
            continue
        if common.sum() == counted[place].sum():
            values[place] = one.value
        elif one.metric.interval != "jackknife":
            rows = one.result.settled.rows
            values[place] = incomplete.value_in_common(rows, common, one.metric.reduce)[one.index]
    return int(common.sum()), values


@dataclass(frozen=True, slots=True)
class Gaps:
    """(N,) on how many samples each system of a board has no value, while another one has.

    unanswered  that it could have: which these are may be the system's choice
    unvoted     by the study's design, which is nobody's fault
    """

    unanswered: Ints
    unvoted: Ints

    @property
    def uneven(self) -> Mask:
        """(N,) which systems have no value on samples on which another one has, for any reason."""
        return np.asarray(self.unanswered + self.unvoted > 0, np.bool_)


def gaps(paired: Sequence[PairedResult | None], missing: Sequence[int]) -> Gaps:
    """What each system of a board lacks.

    missing  samples without a value, of each; all that is known where a result is gone
    """
    there = [one.result.missing for one in paired if one is not None]
    nobody = np.logical_and.reduce(there) if there else np.zeros(0, np.bool_)
    fewest = min(missing, default=0)
    counts = [
        (count - fewest, 0) if one is None else _lost(one.result, ~nobody)
        for one, count in zip(paired, missing, strict=True)
    ]
    unanswered, unvoted = np.array(counts, np.int64).reshape(-1, 2).T
    return Gaps(unanswered, unvoted)


def _lost(result: Result, somebody: Mask) -> tuple[int, int]:
    """Samples without a value on which `somebody` has one: unanswered, unvoted."""
    lost = result.missing & somebody
    unvoted = 0 if result.unvoted is None else int((lost & result.unvoted).sum())
    return int(lost.sum()) - unvoted, unvoted
