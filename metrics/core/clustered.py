"""Clusters of a set's units: which belong together, and what intervals over them rest on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypedDict

import numpy as np

from inference.errors import InputError
from metrics.core.evidence import Evidence
from metrics.core.metric import BoundMetric, Sample
from metrics.core.names import without_value
from metrics.core.rows import Floats, Ints, Settled
from metrics.core.settling import settle
from metrics.statistics import few_clusters
from metrics.statistics.clusters import Clusters, clusters, variances
from metrics.statistics.diagnostics import FEW
from metrics.statistics.intervals import Intervals
from metrics.statistics.remarks import Remark
from metrics.statistics.resampling import evaluate
from metrics.statistics.weights import totals

RESAMPLED = ("bootstrap", "bootstrap_t")
LONGEST_VALUE = 200  # characters; as a slice's name it is part of a key of the table of scores
MOST_SLICES = 100  # of a field: its commonest values
CLUSTERS = partial(re.compile(r"\b(?<!this )(?:sample|unit)(s?)\b").sub, r"cluster\1")
PROMPT = "prompt"  # as a field: samples with equal prompts belong together


@dataclass(frozen=True, slots=True)
class Cluster:
    """What units belong together by.

    field  of the metadata, or `prompt`
    names  (n,) the cluster of each unit
    """

    field: str
    names: Sequence[str]

    @classmethod
    def of(cls, samples: Sequence[Sample], field: str) -> Cluster:
        """By the samples' values of a field; a sample without one is a cluster of its own.

        Raises InputError, naming the fields that there are, where no sample has one.
        """
        values = [metadata_text(sample.metadata.get(field)) for sample in samples]
        if field == PROMPT and not any(value is not None for value in values):
            values = [sample.prompt for sample in samples]
        if not any(value is not None for value in values):
            there = {key for sample in samples for key in sample.metadata}
            raise InputError(without_value(field, there), "cluster")
        named = zip(samples, values, strict=True)
        return cls(field, [_name(value, sample.id) for sample, value in named])

    def take(self, chosen: Ints) -> Cluster:
        """Of the `chosen` units alone."""
        return Cluster(self.field, [self.names[index] for index in chosen.tolist()])


@dataclass(frozen=True, slots=True)
class Spread:
    """Intervals over clusters, and (S,) the design effects; NaN where there is none."""

    intervals: Intervals
    found: Clusters
    effect: Floats


class Drawing(TypedDict):
    """Of the replicates and intervals, as `conclude` has it."""

    seed: int
    replicates: int
    level: float


def over_clusters(
    metric: BoundMetric,
    settled: Settled,
    evidence: Evidence,
    unit: Ints,
    cluster: Cluster,
    by_method: Callable[[Settled, Sequence[str]], Intervals],
    drawing: Drawing,
) -> Spread:
    """The intervals of a set over its clusters.

    settled    of the units (n,) that count, like `cluster`
    evidence   of their outputs, `unit` tells whose
    by_method  the metric's own intervals, of rows and the names of their units
    """
    found, reduce = clusters(cluster.names), metric.reduce
    pooled = replace(settled, rows=found.pooled(settled.rows), loss=None)
    if settled.loss is not None:  # that of a cluster is not the sum of its units'
        together, _, _ = settle(metric, evidence, found.of[unit], len(found.names))
        value, same = (evaluate(reduce, totals(one.rows)) for one in (settled, together))
        if not np.allclose(value, same, rtol=1e-9, equal_nan=True):
            return _refused(metric, found)
        pooled = replace(settled, rows=together.rows, loss=together.loss)
    over = variances(
        settled.rows,
        found,
        reduce,
        loss=settled.loss,
        pooled=pooled.rows,
        pooled_loss=pooled.loss,
    )
    if metric.interval in RESAMPLED and len(found.names) < FEW:
        bounds = metric.bounds(totals(pooled.rows))
        made = few_clusters.student(pooled.rows, found, reduce, bounds, **drawing)
    else:
        made = by_method(pooled, found.names)
    return Spread(_reworded(made, len(found.names)), found, over.effect)


def _reworded(made: Intervals, groups: int) -> Intervals:
    """What was said of units is of clusters."""
    told = [one for one in made.warnings if not one.startswith(("only", "a single unit"))]
    notes = tuple(tuple(map(_of_clusters, own)) for own in made.notes)
    warnings = (*few_clusters.few(groups), *map(_of_clusters, told))
    return replace(made, warnings=warnings, notes=notes)


def _of_clusters(said: Remark) -> Remark:
    return Remark(CLUSTERS(said.form), **said.figures)


def _refused(metric: BoundMetric, found: Clusters) -> Spread:
    nothing = np.full(len(metric.scores), np.nan)
    why = Remark(
        "no interval: {metric} settles a cluster otherwise than its samples, so what it would be "
        "without a cluster is not known",
        metric=metric.name,
    )
    methods, notes = (metric.interval,) * len(nothing), ((),) * len(nothing)
    none = Intervals(nothing, nothing, methods, None, (why,), notes)
    return Spread(none, found, nothing)


def untestable(metric: BoundMetric, settled: Iterable[Settled]) -> str | None:
    """Why systems are not tested over clusters by this metric, if so. What a cluster takes along is
    not what its units do, each alone: of near copies, none has anything of its own."""
    if all(one.loss is None for one in settled):
        return None
    return f"{metric.name} is no sum over samples: clusters cannot be left out of it"


def metadata_text(value: object) -> str | None:
    """A value of the metadata as the service's database has it, and names of slices and clusters:
    text as it is, everything else as JSON; None for null."""
    return (
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    )


def _name(value: str | None, id: str) -> str:
    """After the value that its samples share, a long one by its digest, or its only sample."""
    if value is None:
        return f"sample {id}"
    digest = hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
    return f"value {value if len(value) <= LONGEST_VALUE else digest}"
