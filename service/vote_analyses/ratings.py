"""Ratings, and how much of a text edits keep: means of systems, differences on the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics.comparison_graph import comparison_graph
from metrics.statistics.estimates import Estimates
from metrics.statistics.power import MOST, samples_needed
from metrics.statistics.ranking import Ranks, ranks, ranks_apart
from metrics.statistics.ratings import Differences, Ratings, adjusted, differences, means
from service.figures.numbers import finite, interval
from service.vote_analyses.ballots import Ballots
from service.vote_analyses.findings import (
    Findings,
    corrected,
    groups,
    nothing,
    system,
    uncontrolled,
)
from service.vote_analyses.numbers import NO_VOTES, estimate, ranked
from service.vote_analyses.schemas import (
    ControlledStrengthsOut,
    MoreVotesOut,
    Scale,
    VoteEstimateOut,
    VotePairOut,
)

LEVEL, ALPHA, POWER = 0.95, 0.05, 0.8
NORMAL = 1.959964  # the 97.5% quantile: an interval's half-width in errors, at least


def findings(ballots: Ballots, scale: Scale) -> Findings:
    """What ratings say of systems."""
    if not ballots.votes:
        return nothing(ballots, scale)
    rated = ratings_of(ballots, ballots.value)
    mean, apart = means(rated), differences(rated)
    component = comparison_graph(apart.items.astype(np.float64), np.zeros(apart.items.shape))
    found: Ranks | None = None
    if component.connected:
        found = ranks(
            mean.values, apart.p_values, differences=apart.values, alpha=ALPHA, correct=np.copy
        )
    votes = np.bincount(rated.system, minlength=rated.systems)
    each = ranked(ballots.systems, mean.values, mean.low, mean.high, found)
    measures = _measures(ballots)
    return Findings(
        scale=scale,
        systems=[system(one, int(votes[at]), measures=measures[at]) for at, one in enumerate(each)],
        components=groups(ballots.systems, component.component),
        controlled=_without_severity(ballots, rated, component.connected),
        pairs=_pairs(ballots, apart),
        more_votes=[*_more(ballots, rated, mean.values, apart)],
    )


def ratings_of(ballots: Ballots, values: Floats) -> Ratings:
    """The values as ratings of the project's systems, by those people who gave any."""
    people, annotator = np.unique(ballots.annotator, return_inverse=True)
    where = (ballots.system(), ballots.sample, annotator.astype(np.int64))
    return Ratings(*where, values, len(ballots.systems), len(people))


def _measures(ballots: Ballots) -> list[dict[str, VoteEstimateOut]]:
    if ballots.form != "edit":
        return [{} for _ in ballots.systems]
    changed = (ballots.value < 1).astype(np.float64)
    found = means(ratings_of(ballots, changed))
    bounded = Estimates(found.values, np.maximum(found.low, 0.0), np.minimum(found.high, 1.0))
    return [{"changed": estimate(bounded[at], NO_VOTES)} for at in range(len(ballots.systems))]


def _without_severity(ballots: Ballots, rated: Ratings, connected: bool) -> ControlledStrengthsOut:
    found = adjusted(rated).means
    known = np.isfinite(found.values)
    if not known.any():
        return uncontrolled("too few outputs were judged by several people to tell who is severe")
    order = None
    if connected and known.all():
        order = ranks_apart(found.values, found.low, found.high, LEVEL, alpha=ALPHA)
    each = ranked(ballots.systems, found.values, found.low, found.high, order)
    return ControlledStrengthsOut(controls=[], systems=each, reason=None)


def _pairs(ballots: Ballots, apart: Differences) -> list[VotePairOut]:
    return [
        VotePairOut(
            first=ballots.systems[a],
            second=ballots.systems[b],
            votes=None,
            items=int(apart.items[a, b]),
            wins=None,
            ties=None,
            losses=None,
            difference=finite(apart.values[a, b]),
            interval=interval(apart.low[a, b], apart.high[a, b]),
            p_value=corrected(apart.p_values, a, b),
        )
        for a, b in combinations(range(len(ballots.systems)), 2)
    ]


def _more(
    ballots: Ballots, rated: Ratings, values: Floats, apart: Differences
) -> Iterator[MoreVotesOut]:
    """Of neighbours in the order of means that were judged on the same samples."""
    order = [at for at in np.argsort(-values, kind="stable").tolist() if np.isfinite(values[at])]
    for better, worse in pairwise(order):
        if apart.items[better, worse]:
            yield MoreVotesOut(
                better=ballots.systems[better],
                worse=ballots.systems[worse],
                difference=float(apart.values[better, worse]),
                p_value=None,
                votes=_votes_needed(rated, apart, better, worse),
            )


def _votes_needed(rated: Ratings, apart: Differences, a: int, b: int) -> int | None:
    """Votes on both: as many for each sample as now. The errors shrink with the samples, if the
    people grow in proportion."""
    low, high = float(apart.low[a, b]), float(apart.high[a, b])
    difference, items = abs(float(apart.values[a, b])), int(apart.items[a, b])
    if not np.isfinite(high - low) or difference == 0.0:
        return None
    if low * high > 0:
        return 0
    deviation = (high - low) / 2 / NORMAL * np.sqrt(items)
    needed = samples_needed(float(deviation), difference, POWER, ALPHA)
    if needed >= MOST:
        return None
    shared = np.intersect1d(rated.item[rated.system == a], rated.item[rated.system == b])
    votes = np.isin(rated.item, shared) & np.isin(rated.system, (a, b))
    return max(int(np.ceil((needed - items) * votes.sum() / items)), 1)
