"""Two files over the samples that both have: a paired test for each score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import BaseModel

from inference.errors import InputError
from metrics.core.clustered import Cluster, untestable
from metrics.core.compare import Comparison, Testing, compare
from metrics.core.metric import BoundMetric, Sample
from metrics.core.result import Result
from metrics.core.rows import Ints, Settled
from metrics.statistics.clusters import Clusters, clusters
from metrics.statistics.ranking import holm

Verdict = Literal["a", "b", "open", "withheld", "neither"]
REPLICATES = 1000  # of results that have none
FEW = 20  # samples or clusters below which a test says that it is rough
WITHHELD = "{} has no value on {} of the samples, and may be better only for that: no verdict"


class PairedTest(BaseModel):
    """A paired test of one score; a, b and the difference a - b are over the samples on which both
    files have a value.

    p_corrected  Holm's, over all scores of the command
    verdict      whose value is better, beyond chance; `open`: nobody's is shown to be; `withheld`:
                 the better one lacks values that the other has; `neither`: the two differ, and
                 neither high nor low is better of this score; None: there is no test
    n            samples; `clusters`: what was resampled in their place
    """

    metric: str
    name: str
    a: float | None
    b: float | None
    difference: float | None
    interval: tuple[float, float] | None
    level: float
    p_value: float | None
    p_corrected: float | None
    verdict: Verdict | None
    n: int
    clusters: int | None
    test: str | None
    higher_is_better: bool
    judged: bool
    signature: str
    note: str | None = None


def shared(
    a: Sequence[Sample], b: Sequence[Sample], asked: Sequence[BoundMetric], names: tuple[str, str]
) -> tuple[list[Sample], list[Sample]]:
    """The samples of both files, in a's order, with the outputs of either.

    Raises InputError where there are none, and for one that is asked, or judged, by other texts.
    """
    there = {sample.id: sample for sample in b}
    both = [(one, there[one.id]) for one in a if one.id in there]
    if not both:
        shown = f"{a[0].id!r} is one of {names[0]}, {b[0].id!r} of {names[1]}"
        raise InputError(f"--compare: the files share no sample's id: {shown}")
    read = {field for metric in asked for field in metric.reads if field != "output"}
    for mine, other in both:
        for field in sorted(read):
            if getattr(mine, field) != getattr(other, field):
                message = f"sample {mine.id!r} has another {field} there: the same are compared"
                raise InputError(f"--compare: {names[1]}: {message}")
    return [mine for mine, _ in both], [replace(x, outputs=y.outputs) for x, y in both]


def paired_tests(
    asked: Sequence[BoundMetric],
    a: Sequence[Result],
    b: Sequence[Result],
    samples: Sequence[Sample],
    cluster: str | None,
    level: float,
) -> list[PairedTest]:
    """A test for each score of results over the same samples, corrected together.

    cluster  the field by which samples belong together
    """
    together = Cluster.of(samples, cluster).names if cluster is not None else None
    ids = [sample.id for sample in samples]
    found = [
        one
        for metric, mine, other in zip(asked, a, b, strict=True)
        for one in _tested(metric, mine, other, ids, together, level)
    ]
    with_p = [one for one in found if one.p_value is not None]
    corrected = holm(np.array([one.p_value for one in with_p], np.float64))
    for one, p_value in zip(with_p, corrected.tolist(), strict=True):
        one.p_corrected = p_value
        if p_value > 1 - level or not one.difference:
            one.verdict = "open"
        elif not one.judged:
            one.verdict = "neither"
        elif one.verdict is None:  # nothing is withheld
            one.verdict = "a" if (one.difference > 0) == one.higher_is_better else "b"
    return found


def _tested(
    metric: BoundMetric,
    a: Result,
    b: Result,
    ids: list[str],
    together: Sequence[str] | None,
    level: float,
) -> list[PairedTest]:
    counted = np.flatnonzero(~(a.missing | b.missing))
    pair, names, found, refused = (a, b), ids, None, None
    if together is not None and len(counted):
        found = clusters([together[at] for at in counted.tolist()])
        refused = untestable(metric, [one.settled for one in pair])
        if refused is None:
            names = list(found.names)
            pair = (_pooled(a, counted, found), _pooled(b, counted, found))
    drawn = [len(one.replicates) for one in (a, b) if one.replicates is not None]
    testing = Testing(replicates=max(drawn, default=REPLICATES), level=level)
    compared = compare(metric, pair[0], names, pair[1], names, testing)
    lacking = (int((a.missing & ~b.missing).sum()), int((b.missing & ~a.missing).sum()))
    groups = None if found is None else len(found.names)
    return [
        _row(metric, at, a, one, len(counted), groups, level, refused, lacking)
        for at, one in enumerate(compared)
    ]


def _pooled(result: Result, counted: Ints, found: Clusters) -> Result:
    """The result with clusters for its units: of the samples that count in both files."""
    rows = found.pooled(result.settled.rows[counted])
    return replace(
        result,
        settled=Settled(rows, variance=result.settled.variance, freedom=result.settled.freedom),
        per_sample=None,
        replicates=None,
        missing=np.zeros(len(rows), np.bool_),
    )


def _row(
    metric: BoundMetric,
    at: int,
    a: Result,
    found: Comparison,
    n: int,
    groups: int | None,
    level: float,
    refused: str | None,
    lacking: tuple[int, int],
) -> PairedTest:
    told = None if refused else found.difference
    higher = a.scores[at].higher_is_better
    row = PairedTest(
        metric=metric.name,
        name=found.name,
        a=found.a,
        b=found.b,
        difference=told.value if told else None,
        interval=told.interval if told else None,
        level=level,
        p_value=told.p_value if told and math.isfinite(told.p_value) else None,
        p_corrected=None,
        verdict=None,
        n=n,
        clusters=groups,
        test=told.test if told else None,
        higher_is_better=higher,
        judged=metric.scores[at].judged,
        signature=a.scores[at].signature,
        note=refused or found.error,
    )
    units, what = (n, "samples") if groups is None else (groups, "clusters")
    if told and units < FEW:
        row.note = f"only {units} {what}: the test is rough"
    if told and told.value and row.judged:
        ahead = 0 if (told.value > 0) == higher else 1
        if lacking[ahead]:
            row.verdict, row.note = "withheld", WITHHELD.format("ab"[ahead], lacking[ahead])
    return row
