"""Numbers as they are shown: NaN is null, with a reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics.estimates import Estimate
from metrics.statistics.ranking import Ranks
from service.figures.numbers import finite, interval
from service.vote_analyses.schemas import RankedSystemOut, VoteEstimateOut

NO_VOTES = "no votes yet"
NO_INTERVAL = "too few votes, people or items, or all alike, for an interval"
APART = "systems fall into groups that no votes connect: nobody has a rank"


def estimate(found: Estimate, reason: str) -> VoteEstimateOut:
    """The value with its interval.

    reason  why there is no value, if there is none
    """
    ends = interval(found.low, found.high)
    if not np.isfinite(found.value):
        return VoteEstimateOut(value=None, interval=None, reason=reason)
    return VoteEstimateOut(value=found.value, interval=ends, reason=None if ends else NO_INTERVAL)


def ranked(
    systems: Sequence[str], values: Floats, low: Floats, high: Floats, ranks: Ranks | None
) -> list[RankedSystemOut]:
    """Systems with their strengths and ranks, in their order.

    ranks  None: not all of them can be compared
    """
    found = []
    for at, system in enumerate(systems):
        value, ends = finite(values[at]), interval(low[at], high[at])
        whys = (
            NO_VOTES if value is None else None,
            APART if ranks is None else None,
            NO_INTERVAL if ends is None else None,
        )
        found.append(
            RankedSystemOut(
                system=system,
                strength=value,
                interval=ends,
                rank=None if ranks is None else int(ranks.rank[at]),
                rank_interval=ranks.interval(at) if ranks is not None and ends else None,
                reason=next((why for why in whys if why), None),
            )
        )
    return found
