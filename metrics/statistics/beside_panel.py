"""A rater beside a panel: a language model, say, beside people who judged the same items.

    panel     what people say of items
    rater     (items,) what the rater says of each; NaN where it says nothing
    sample    of each item: those on one sample are drawn together

    agreement     share of the panel's values on an item that are the rater's own, the mean over
                  items that both have
    alpha         the same beyond chance: the rater's part of Krippendorff's alpha of all together
    panel_agreement, panel_alpha
                  the same of two of the panel, on those of the items that two of it have
    difference    the rater's value less the panel's mean

Were other samples drawn, the same people and the rater would be within the intervals: Wilson's of
shares, else the studentized bootstrap, over samples. What alpha holds disagreement against, the
disagreement of any two values, is taken as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.statistics.agreement import Distance
from metrics.statistics.annotations import Annotations, Ints
from metrics.statistics.annotators import beyond_chance, same_as_others, shared
from metrics.statistics.clusters import Clusters, clusters
from metrics.statistics.estimates import UNKNOWN, Estimate
from metrics.statistics.intervals import bootstrap_t, wilson
from metrics.statistics.weights import Floats, totals


@dataclass(frozen=True, slots=True)
class Beside:
    """See above; `items`: that the rater and the panel both have."""

    agreement: Estimate
    alpha: Estimate
    panel_agreement: Estimate
    panel_alpha: Estimate
    difference: Estimate
    items: int


def beside(
    panel: Annotations,
    rater: Floats,
    sample: Clusters,
    distance: Distance = "nominal",
    level: float = 0.95,
) -> Beside:
    """The rater held to the panel, and the panel to itself; NaN where there is nothing to hold."""
    both = panel.take(np.isfinite(rater[panel.item]))
    items = np.unique(both.item)
    everybody = Annotations.of(
        np.r_[both.item, items],
        np.r_[both.annotator, np.full(len(items), panel.annotators)],
        np.r_[both.value, rater[items]],
        items=panel.items,
        annotators=panel.annotators + 1,
    )
    every, people = shared(everybody), shared(both)
    own = every.annotator == panel.annotators
    many = np.bincount(both.item, minlength=panel.items)[items]
    mean = np.bincount(both.item, both.value, minlength=panel.items)[items] / many

    def share(numbers: Floats, item: Ints) -> Estimate:
        return _mean(numbers, item, sample, (0.0, 1.0), level)

    def alpha(numbers: Floats, item: Ints) -> Estimate:
        return _mean(numbers, item, sample, (-np.inf, 1.0), level)

    return Beside(
        agreement=share(same_as_others(every)[own], every.item[own]),
        alpha=alpha(beyond_chance(every, distance)[own], every.item[own]),
        panel_agreement=share(same_as_others(people), people.item),
        panel_alpha=alpha(beyond_chance(people, distance), people.item),
        difference=_mean(rater[items] - mean, items, sample, (-np.inf, np.inf), level),
        items=len(items),
    )


def _mean(
    numbers: Floats, item: Ints, sample: Clusters, ends: tuple[float, float], level: float
) -> Estimate:
    """The mean of numbers on items, with its interval over the samples that are there."""
    if not len(numbers) or not np.isfinite(numbers).all():
        return UNKNOWN
    drawn = clusters([sample.names[at] for at in sample.of[item].tolist()])
    rows = drawn.pooled(np.stack([numbers, np.ones(len(numbers))], 1))
    bounds = np.array(ends[:1]), np.array(ends[1:])
    interval = wilson if ends == (0.0, 1.0) else bootstrap_t
    found = interval(rows, drawn.keys, _ratio, level=level, bounds=bounds)
    return Estimate(float(_ratio(totals(rows))[0]), float(found.low[0]), float(found.high[0]))


def _ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums[..., :1] / sums[..., 1:], np.float64)
