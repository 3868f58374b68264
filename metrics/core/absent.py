"""What a difference could be, were the values that one of two lacks the worst or the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics.core.alignment import Aligned, Side
from metrics.core.differences import own_values
from metrics.core.metric import BoundMetric
from metrics.statistics.incomplete import extremes


def bounds(
    metric: BoundMetric,
    sides: Sequence[Side],
    aligned: Aligned,
    pair: tuple[int, int],
    score: int,
) -> tuple[float, float] | None:
    """Between what a - b lies over the units on which either has a value, whatever the values would
    be that one of them lacks; of those that it lacks by design, none is expected. None where none
    lacks any, where the score has no two ends, and where it is no mean of the samples' own values.
    """
    a, b = pair
    lost = aligned.unanswered(b, a), aligned.unanswered(a, b)  # by a, by b
    ends = metric.scores[score].low, metric.scores[score].high
    if not any(lost) or not np.isfinite(ends).all():
        return None
    reach = []
    for one, absent in zip(pair, lost, strict=True):
        at = aligned.places[one, aligned.valued[one] & aligned.chosen]
        own = own_values(metric, sides[one], at, score)
        if own is None:
            return None
        reach.append(extremes(float(own.mean()), len(own), absent, *ends))
    (low_a, high_a), (low_b, high_b) = reach
    return low_a - high_b, high_a - low_b
