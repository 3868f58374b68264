"""What a score is. Every module of this folder that is not a folder declares one metric, `METRIC`.
Other distributions add theirs by entry points of the group `assay.metrics` (docs/add-a-metric.md).

Knows no HTTP and no SQL; importing it loads no model library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from metrics.community.evaluate import PREFIX, declare
from metrics.core.errors import MetricError, UnknownMetric
from metrics.core.metric import AnyMetric, Metric
from metrics.core.registry import declarations, hint

GROUP = "assay.metrics"  # of entry points, each of which names a METRIC


@cache
def catalogue() -> Mapping[str, AnyMetric]:
    """Every metric by name: the listing of this folder, then those of other distributions.

    Raises MetricError for one that cannot be loaded, is no metric, or takes a name that is taken.
    """
    return declarations(__name__, __path__, Metric, GROUP, MetricError)


def find(name: str, roots: Sequence[Path] = ()) -> AnyMetric:
    """The metric called `name`. Raises UnknownMetric with the nearest names.

    `evaluate/<path>` names a metric of the `evaluate` library in a folder under one of `roots`.
    """
    if name.startswith(PREFIX):
        return declare(name, roots)
    known = catalogue()
    if name in known:
        return known[name]
    raise UnknownMetric(f"no metric is called {name!r}; {hint(name, known)}", "name")
