"""Latency: how long the model took to answer, in seconds.

Conventions
    The time from sending a request to having the whole answer, without what was spent on attempts
    that failed and on waiting for limits. Steps of a protocol that follow each other add up; of
    draws made side by side the longest counts. It is of the time when the answer was made: a reply
    that was kept from an earlier evaluation has its own. Refusals took their time, too, and count.
    Several outputs of a sample are averaged; the value is the mean over samples. 0..∞, lower is
    better. Outputs without a known latency (models that run here answer in batches) are missing.

Example
    >>> from metrics.core.details import Details
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ("yes",), details=(Details(latency_s=0.25),))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> result.scores[0].value
    0.25
"""

from __future__ import annotations

from metrics.core.details import Details
from metrics.core.metric import Params, Score, Source
from metrics.core.per_details import per_details


class LatencyParams(Params):
    """None."""


def latency(details: Details) -> float | None:
    """Seconds; None where they are not known."""
    return details.latency_s


METRIC = per_details(
    name="latency",
    about="How long the model took to answer.",
    formula="mean of seconds from a request to its whole answer",
    avoid="Comparing models that were asked at different times, or at different load.",
    params=LatencyParams,
    score=Score("latency_s", higher_is_better=False, about="seconds an output, on average"),
    source=Source(
        paper="Liang et al., 2022, arXiv:2211.09110 (efficiency beside accuracy)",
        reference="the clock of this service",
    ),
    unknown="it is not known how long the answer took",
    take=latency,
)
