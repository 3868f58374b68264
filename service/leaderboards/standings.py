"""Where the systems of a board stand: all pairs tested at once, ranks and what they leave open.

Systems that have values on the same samples are tested by the covariance of their stored
replicates. A pair that lacks values on different samples is tested over those that both have; a
metric of the whole set by leaving samples out. No loop is over pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.core.rows import Floats, Ints
from metrics.statistics import gaps
from metrics.statistics.deletions import deletion_test, deviations, linear_replicates
from metrics.statistics.intervals import dear, left_out, replicate
from metrics.statistics.many import Pairwise, covariance_test
from metrics.statistics.ranking import Ranks, chances_of_first, ranks, ranks_apart
from metrics.statistics.stepdown import step_down
from metrics.statistics.weights import totals, unit_keys
from service.leaderboards.paired import ALPHA, PairedResult
from service.leaderboards.store import BoardScore

MOST_TESTED = 500  # systems: beyond, no pairs are tested, and ranks rest on the intervals
MOST_STEPPED = 250  # systems: beyond, the step-down's replicates of all pairs take too long
REPLICATES = 1000  # of metrics that have none stored

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PairTests:
    """What the tests of N systems found.

    pairs       (N, N) each; NaN where there is none
    replicates  (R, N) of the systems that lack nothing another has, NaN for the others; None: none
    counted     (N, n) which samples each has a value on; None where rows are gone
    """

    pairs: Pairwise
    replicates: Floats | None
    counted: Mask | None


@dataclass(frozen=True, slots=True)
class Standings:
    """N systems, in the order in which they were given.

    ranks         by tests of all pairs, Holm-corrected
    stepped       the same with Romano and Wolf's p-values; None where there are none
    p_first       (N,) the share of replicates in which each is first; NaN where it has none
    incomplete    (N,) samples without a value on which another system has one
    in_common     samples on which all have a value; None where that is not known
    n_common      (N,) of the smallest test of each; 0 where it has none
    value_common  (N,) over the samples `in_common`; NaN where it is not known
    bounds        of each value, were what it lacks the worst or the best; None where unbounded
    tested        of how many systems tests were possible
    """

    ranks: Ranks
    stepped: Ranks | None
    p_first: Floats
    incomplete: Ints
    in_common: int | None
    n_common: Ints
    value_common: Floats
    bounds: list[tuple[float, float] | None]
    tested: int


def standings(
    scores: Sequence[BoardScore], paired: Sequence[PairedResult | None], alpha: float = ALPHA
) -> Standings:
    """Where systems stand by their scores, and the results behind these (None: gone)."""
    values = np.array([row.value for row in scores])
    better = scores[0].higher_is_better
    incomplete = lacking(paired, [row.missing for row in scores])
    tests = pairs_between(paired)
    in_common, value_common = _in_common(paired, tests.counted)
    last = incomplete > 0
    placed = np.where(last & np.isfinite(value_common), value_common, values)
    found = ranks(
        placed,
        tests.pairs.p_values,
        differences=tests.pairs.differences,
        incomplete=last,
        higher_is_better=better,
        alpha=alpha,
    )
    stepped, p_first = None, np.full(len(values), np.nan)
    if tests.replicates is not None:
        p_first[~last] = chances_of_first(tests.replicates[:, ~last], better)
        if not last.any() and len(values) <= MOST_STEPPED:
            adjusted = step_down(tests.pairs, tests.replicates)
            stepped = ranks(values, adjusted, higher_is_better=better, alpha=alpha, correct=np.copy)
    known = np.isfinite(tests.pairs.p_values)
    smallest = np.where(known, tests.pairs.units, np.inf).min(1, initial=np.inf)
    return Standings(
        ranks=found,
        stepped=stepped,
        p_first=p_first,
        incomplete=incomplete,
        in_common=in_common,
        n_common=np.where(np.isfinite(smallest), smallest, 0).astype(np.int64),
        value_common=value_common,
        bounds=[
            _bounds(one, row, int(lost))
            for one, row, lost in zip(paired, scores, incomplete, strict=True)
        ],
        tested=sum(one is not None for one in paired),
    )


def standings_untested(scores: Sequence[BoardScore], alpha: float = ALPHA) -> Standings:
    """Where very many systems stand, or those of a slice: by their intervals alone, where `scores`
    are more than MOST_TESTED; else every rank is open."""
    n = len(scores)
    values = np.array([row.value for row in scores])
    missing = np.array([row.missing for row in scores])
    incomplete = missing - missing.min()
    better = scores[0].higher_is_better
    if n > MOST_TESTED:
        ends = np.array([row.interval or (np.nan, np.nan) for row in scores])
        found = ranks_apart(
            values,
            ends[:, 0],
            ends[:, 1],
            scores[0].level,
            incomplete=incomplete > 0,
            higher_is_better=better,
            alpha=alpha,
        )
    else:
        nothing = np.full((n, n), np.nan)
        found = ranks(values, nothing, incomplete=incomplete > 0, higher_is_better=better)
    unknown = np.full(n, np.nan)
    return Standings(
        found, None, unknown, incomplete, None, np.zeros(n, np.int64), unknown, [None] * n, 0
    )


def pairs_between(paired: Sequence[PairedResult | None]) -> PairTests:
    """The tests of all pairs of N systems' results on one dataset, by one score."""
    n = len(paired)
    at = np.array(
        [place for place, one in enumerate(paired) if one is not None and one.value is not None],
        np.int64,
    )
    there = [one for one in paired if one is not None and one.value is not None]
    if not there:
        nothing = np.full((n, n), np.nan)
        return PairTests(Pairwise(nothing, nothing, nothing, nothing), None, None)
    counted = np.stack([~one.result.missing for one in there])
    tests = _by_deletion if there[0].metric.interval == "jackknife" else _by_resampling
    pairs, drawn = tests(there, counted)
    if len(there) == n:
        return PairTests(pairs, drawn, counted)
    inner = np.ix_(at, at)

    def spread(found: Floats) -> Floats:
        whole = np.full((n, n), np.nan)
        whole[inner] = found
        return whole

    if drawn is not None:
        whole = np.full((len(drawn), n), np.nan)
        whole[:, at] = drawn
        drawn = whole
    spread_pairs = Pairwise(
        *map(spread, (pairs.differences, pairs.errors, pairs.p_values, pairs.units))
    )
    return PairTests(spread_pairs, drawn, None)


def lacking(paired: Sequence[PairedResult | None], missing: Sequence[int]) -> Ints:
    """(N,) how many samples each system of a board has no value on, while another one has.

    missing  samples without a value, of each; all that is known where a result is gone
    """
    there = [one.result.missing for one in paired if one is not None]
    nobody = np.logical_and.reduce(there) if there else np.zeros(0, np.bool_)
    fewest = min(missing, default=0)
    return np.array(
        [
            count - fewest if one is None else int((one.result.missing & ~nobody).sum())
            for one, count in zip(paired, missing, strict=True)
        ],
        np.int64,
    )


def _by_resampling(there: Sequence[PairedResult], counted: Mask) -> tuple[Pairwise, Floats | None]:
    values = np.array([one.value for one in there], np.float64)
    groups: dict[bytes, list[int]] = {}
    for place, mask in enumerate(np.packbits(counted, axis=1)):
        groups.setdefault(mask.tobytes(), []).append(place)
    drawn = _replicates(there)
    if len(groups) == 1:
        return covariance_test(values, drawn, int(counted[0].sum())), drawn
    found = _over_common(there, counted)
    for group in groups.values():
        own = covariance_test(values[group], drawn[:, group], int(counted[group[0]].sum()))
        inner = np.ix_(group, group)
        for whole, part in (
            (found.differences, own.differences),
            (found.errors, own.errors),
            (found.p_values, own.p_values),
            (found.units, own.units),
        ):
            whole[inner] = part
    complete = counted.sum(1) == counted.any(0).sum()
    return found, np.where(complete, drawn, np.nan)


def _over_common(there: Sequence[PairedResult], counted: Mask) -> Pairwise:
    first = there[0]
    rows = [one.result.settled.rows for one in there]
    values = gaps.shared_values(rows, counted, first.metric.reduce)[:, :, first.index]
    moved = np.stack(
        [
            gaps.influences(own, mask, one.metric.reduce)[:, one.index]
            for own, mask, one in zip(rows, counted, there, strict=True)
        ]
    )
    return gaps.common_test(values, moved, counted)


def _replicates(there: Sequence[PairedResult]) -> Floats:
    """(R, N) of one seed and number: those that were stored otherwise are drawn again."""
    drawn = Counter(
        (one.result.seed, len(one.result.replicates))
        for one in there
        if one.result.replicates is not None
    )
    seed, count = drawn.most_common(1)[0][0] if drawn else (0, REPLICATES)
    columns = []
    for one in there:
        stored = one.result.replicates
        if stored is None or (one.result.seed, len(stored)) != (seed, count):
            kept = np.flatnonzero(~one.result.missing)
            keys = unit_keys([one.ids[at] for at in kept])
            rows = one.result.settled.rows[kept]
            stored = replicate(rows, keys, one.metric.reduce, seed, count)
        columns.append(stored[:, one.index])
    return np.stack(columns, axis=1)


def _by_deletion(there: Sequence[PairedResult], counted: Mask) -> tuple[Pairwise, Floats | None]:
    """Rows of such metrics depend on the set: all are taken, missing ones are zero."""
    settled = [one.result.settled for one in there]
    grouped = all(one.loss is None for one in settled) and any(
        dear(one.rows, one.loss) for one in settled
    )
    keys = unit_keys(there[0].ids)
    moved, values = [], []
    for one, own in zip(there, settled, strict=True):
        left, sizes = left_out(own.rows, keys, one.metric.reduce, own.loss, grouped)
        whole = one.metric.reduce(totals(own.rows))
        moved.append(deviations(whole, left, sizes)[:, one.index])
        values.append(float(whole[one.index]))
    deviating, at = np.stack(moved, axis=1), np.array(values)
    added = np.array(
        [
            0.0 if own.variance is None else own.variance[one.index]
            for one, own in zip(there, settled, strict=True)
        ]
    )
    if grouped:
        keys = unit_keys([str(number) for number in range(len(deviating))])
    drawn = linear_replicates(at, deviating, added, keys, seed=0, replicates=REPLICATES)
    complete = counted.sum(1) == counted.any(0).sum()
    return deletion_test(at, deviating, added), np.where(complete, drawn, np.nan)


def _in_common(
    paired: Sequence[PairedResult | None], counted: Mask | None
) -> tuple[int | None, Floats]:
    """On how many samples all have a value, and (N,) the values over these."""
    values = np.full(len(paired), np.nan)
    if counted is None:
        return None, values
    common = np.logical_and.reduce(counted)
    for place, one in enumerate(paired):
        if one is None:
            continue
        if common.sum() == counted[place].sum():
            values[place] = one.value
        elif one.metric.interval != "jackknife":
            rows = one.result.settled.rows
            values[place] = gaps.value_in_common(rows, common, one.metric.reduce)[one.index]
    return int(common.sum()), values


def _bounds(one: PairedResult | None, row: BoardScore, lost: int) -> tuple[float, float] | None:
    """See `Standings`: of means of the samples' own values alone, within the score's range."""
    if one is None or not lost or one.result.per_sample is None:
        return None
    score = one.metric.scores[one.index]
    own = one.result.per_sample[~one.result.missing, one.index]
    if not np.isfinite([score.low, score.high]).all() or not np.isfinite(own).all():
        return None
    if not np.isclose(own.mean(), row.value, rtol=1e-9, atol=1e-12):
        return None  # a corpus's value, as BLEU: what a sample more would do to it is not known
    return gaps.extremes(row.value, row.n, lost, score.low, score.high)
