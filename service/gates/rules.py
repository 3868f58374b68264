"""A gate's rules as questions to two results: what is known of each difference and its margin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.errors import ReportedError
from metrics.core.rows import Floats
from metrics.statistics.verdicts import Question, Running
from service.gates.schemas import RuleIn
from service.leaderboards.pairing import Pairing

NOT_SEQUENTIAL = (
    "a sequential gate needs a score that is bounded and the mean of its samples' own values, as "
    "exact_match or pass@1; {} is not: take it out, or leave `sequential` out"
)
NOT_POSITIVE = "a relative margin needs a baseline above 0, and {} is {}"


@dataclass(frozen=True, slots=True)
class Weighed:
    """How a rule weighs the two values: it holds where sign · (candidate - weight · baseline) is
    above `-fixed`. `margin` is the drop that is allowed so."""

    sign: float
    weight: float
    fixed: float
    margin: float


def question(
    rule: RuleIn, pair: Pairing, cluster: Mapping[str, str] | None, sequential: bool
) -> Question:
    """What the rule asks; a is the candidate, b the baseline. Raises ReportedError where it cannot
    be asked of this score."""
    weighed = _weighed(rule, pair)
    values = pair.values
    difference = weighed.sign * (values.a - values.b)
    low, high = pair.score.low, pair.score.high
    bounded = sequential_score(pair)
    running = None
    if sequential:
        if not bounded:
            raise ReportedError(NOT_SEQUENTIAL.format(rule.score))
        running = _running(pair, weighed, cluster)
    return Question(
        difference=difference,
        margin=weighed.margin,
        error=values.error(1.0, -weighed.weight),
        freedom=values.freedom,
        units=values.units if running is None else len(running.differences),
        reach=(low - high, high - low) if bounded else None,
        changed=_changed(pair, weighed),
        running=running,
    )


def sequential_score(pair: Pairing) -> bool:
    """Whether bounds that hold at every look are known: of means of bounded values alone."""
    ends = (pair.score.low, pair.score.high)
    return pair.own is not None and bool(np.isfinite(ends).all())


def _weighed(rule: RuleIn, pair: Pairing) -> Weighed:
    sign = 1.0 if pair.score.higher_is_better else -1.0
    if rule.max_relative_drop is None:
        margin = rule.max_drop if rule.max_drop is not None else -(rule.min_gain or 0.0)
        return Weighed(sign, 1.0, margin, margin)
    share, base = rule.max_relative_drop, pair.values.b
    if not base > 0.0:
        raise ReportedError(NOT_POSITIVE.format(rule.score, f"{base:g}"))
    return Weighed(sign, 1.0 - sign * share, 0.0, share * base)


def _changed(pair: Pairing, weighed: Weighed) -> tuple[int, int] | None:
    """How many samples got better and worse, where all are scored 0 or 1 and count for one."""
    if pair.own is None or pair.names is not None or weighed.weight != 1.0:
        return None
    a, b = pair.own
    if not (np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all()):
        return None
    change = weighed.sign * (a - b)
    return int((change > 0.0).sum()), int((change < 0.0).sum())


def _running(pair: Pairing, weighed: Weighed, cluster: Mapping[str, str] | None) -> Running:
    """Differences in the order of the dataset; of a relative margin, less what makes up for it."""
    a, b = pair.own or (np.zeros(0), np.zeros(0))
    low, high = pair.score.low, pair.score.high
    shift = weighed.margin - weighed.fixed  # so that the bounds compare with `-margin`
    gaps = weighed.sign * (a - weighed.weight * b) - shift
    ends = [
        weighed.sign * (one - weighed.weight * other) - shift
        for one, other in ((low, high), (high, low), (low, low), (high, high))
    ]
    weights = None
    if cluster is not None and pair.names is not None:
        gaps, weights = _whole_clusters(gaps, pair.names, Counter(cluster.values()))
    return Running(gaps, min(ends), max(ends), weights)


def _whole_clusters(
    gaps: Floats, names: Sequence[str], sizes: Mapping[str, int]
) -> tuple[Floats, Floats]:
    """The means of the clusters that are complete, in the order in which they became so, and their
    weights: a later look must only add to what an earlier one saw."""
    found: dict[str, list[float]] = {}
    complete: list[list[float]] = []
    for name, gap in zip(names, gaps.tolist(), strict=True):
        members = found.setdefault(name, [])
        members.append(gap)
        if len(members) == sizes[name]:
            complete.append(members)
    largest = max(sizes.values(), default=1)
    means = np.array([np.mean(members) for members in complete], np.float64)
    weights = np.array([len(members) / largest for members in complete], np.float64)
    return means, weights
