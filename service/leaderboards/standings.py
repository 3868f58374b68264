"""Where the systems of a board stand: their ranks, and what the tests of all pairs leave open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metrics.core.rows import Floats, Ints
from metrics.statistics.incomplete import extremes
from metrics.statistics.ranking import Ranks, chances_of_first, ranks, ranks_apart
from metrics.statistics.stepdown import step_down
from service.leaderboards.pair_tests import PairTests, gaps, in_common, pairs_between
from service.leaderboards.paired import ALPHA, PairedResult
from service.leaderboards.store import BoardScore

MOST_TESTED = 500  # systems: beyond, no pairs are tested, and ranks rest on the intervals
MOST_STEPPED = 250  # systems: beyond, the step-down's replicates of all pairs take too long


@dataclass(frozen=True, slots=True)
class Standings:
    """N systems, in the order in which they were given.

    ranks         by tests of all pairs, Holm-corrected
    stepped       the same with Romano and Wolf's p-values; None where there are none
    p_first       (N,) the share of replicates in which each is first; NaN where it has none
    incomplete    (N,) samples without a value on which another system has one
    unvoted       (N,) the same, of which votes alone are lacking, so that nobody stands behind
    in_common     samples on which all have a value; None where that is not known
    n_common      (N,) of the smallest test of each, samples or clusters; 0 where it has none
    value_common  (N,) over the samples `in_common`; NaN where it is not known
    bounds        of each value, were what it lacks the worst or the best; None where unbounded
    tested        of how many systems tests were possible
    exchanged     whether these exchange rows at random
    refused       why there are none, though rows are there
    """

    ranks: Ranks
    stepped: Ranks | None
    p_first: Floats
    incomplete: Ints
    unvoted: Ints
    in_common: int | None
    n_common: Ints
    value_common: Floats
    bounds: list[tuple[float, float] | None]
    tested: int
    exchanged: bool = False
    refused: str | None = None

    @property
    def uneven(self) -> bool:
        """Whether systems have values on unlike samples."""
        return bool((self.incomplete + self.unvoted > 0).any())


def standings(
    scores: Sequence[BoardScore],
    paired: Sequence[PairedResult | None],
    field: str | None = None,
    names: Sequence[str] | None = None,
    alpha: float = ALPHA,
) -> Standings:
    """Where systems stand by their scores, and the results behind these (None: gone).

    field, names  what samples belong together by, and (n,) what each is of; None: independent
    """
    values = np.array([row.value for row in scores])
    better = scores[0].higher_is_better
    lacking = gaps(paired, [row.missing for row in scores])
    tests = pairs_between(paired, field, names)
    shared, value_common = in_common(paired, tests.counted)
    last = lacking.unanswered > 0
    found = ranks(
        np.where(last & np.isfinite(value_common), value_common, values),
        tests.pairs.p_values,
        differences=tests.pairs.differences,
        incomplete=last,
        higher_is_better=better,
        alpha=alpha,
    )
    p_first = np.full(len(values), np.nan)
    p_first[~last] = chances_of_first(tests.replicates[:, ~last], better)
    stepped = None
    if not lacking.uneven.any() and 1 < len(values) <= MOST_STEPPED:
        adjusted = step_down(tests.pairs, tests.replicates)
        stepped = ranks(values, adjusted, higher_is_better=better, alpha=alpha, correct=np.copy)
    return Standings(
        ranks=found,
        stepped=stepped,
        p_first=p_first,
        incomplete=lacking.unanswered,
        unvoted=lacking.unvoted,
        in_common=shared,
        n_common=_smallest(tests),
        value_common=value_common,
        bounds=[
            _bounds(one, row, int(lost))
            for one, row, lost in zip(paired, scores, lacking.unanswered, strict=True)
        ],
        tested=0 if tests.refused else sum(one is not None for one in paired),
        exchanged=tests.exchanged,
        refused=tests.refused,
    )


def standings_untested(scores: Sequence[BoardScore], alpha: float = ALPHA) -> Standings:
    """Where systems stand by their intervals alone: more than MOST_TESTED."""
    n = len(scores)
    values = np.array([row.value for row in scores])
    missing = np.array([row.missing for row in scores])
    incomplete = missing - missing.min()
    better = scores[0].higher_is_better
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
    unknown = np.full(n, np.nan)
    return Standings(
        ranks=found,
        stepped=None,
        p_first=unknown,
        incomplete=incomplete,
        unvoted=np.zeros(n, np.int64),
        in_common=None,
        n_common=np.zeros(n, np.int64),
        value_common=unknown,
        bounds=[None] * n,
        tested=0,
    )


def _smallest(tests: PairTests) -> Ints:
    """(N,) units of the smallest test of each system; 0 where it has none."""
    known = np.isfinite(tests.pairs.p_values)
    units = np.where(known, tests.pairs.units, np.inf).min(1, initial=np.inf)
    return np.where(np.isfinite(units), units, 0).astype(np.int64)


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
    return extremes(row.value, row.n, lost, score.low, score.high)
