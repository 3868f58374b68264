"""`imported/<score>`: values that another harness gave to samples, read from its logs.

Conventions
    Nothing is measured here: a file that is imported (`POST /v1/imports`) brings a value for each
    sample or for each of its outputs. A sample's several values are averaged, and the value is the
    mean over samples: intervals, clusters, comparisons, boards and gates work as for any metric.
    What the harness, its version, the task and the filter were is parameters, so all of it stands
    in the signature, and no board mixes such a score with one that was measured here.
    `low` and `high` are the range where the file declares one; they do not stop a comparison.

Example
    >>> bound = declare("imported/acc").bind({"harness": "lm-eval", "task": "arc", "high": 1.0})
    >>> bound.score_names, bound.scores[0].high, bound.params.harness_version
    (('acc',), 1.0, 'unknown')
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.errors import NotMeasured, UnknownMetric
from metrics.core.evidence import Evidence
from metrics.core.metric import AnyMetric, Flag, Item, Metric, Params, Sample, Score, Source
from metrics.core.rows import Floats, mean

PREFIX = "imported/"
NO_VALUE = 1
NOT_MEASURED = "values of another harness are imported with a file, not measured: POST /v1/imports"


class ImportedParams(Params):
    """Where the values come from."""

    harness: str = Field(description="the program that gave the values, as lm-eval")
    harness_version: str = Field("unknown", description="its version")
    task: str = Field(description="what it calls the task")
    task_version: str = Field("unknown", description="the version that it gives to the task")
    filter: str | None = Field(None, description="how answers were extracted, where it has a name")
    higher_is_better: bool = Field(True, description="the direction")
    low: float | None = Field(None, description="the least possible value; null: none is known")
    high: float | None = Field(None, description="the largest possible value")


@cache
def declare(name: str) -> AnyMetric:
    """The metric called `name` (`imported/<score>`). Raises UnknownMetric without a score."""
    score = name.removeprefix(PREFIX)
    if not score.strip():
        raise UnknownMetric(f"{name!r} names no score: write {PREFIX}acc", "name")

    def scores(params: ImportedParams) -> tuple[Score, ...]:
        low = float("-inf") if params.low is None else params.low
        high = float("inf") if params.high is None else params.high
        about = f"{score} as {params.harness} gave it to the samples of {params.task}"
        return (Score(score, params.higher_is_better, low, high, about, ("low", "high")),)

    return Metric(
        name=name,
        version=1,
        about=f"{score!r} of another harness, imported with its logs.",
        params=ImportedParams,
        reads=("output",),
        needs=(),
        scores=scores,
        interval="wilson",  # of what is not 0 or 1, the bootstrap's
        source=Source(paper="the harness's own", reference="the harness, as its log has it"),
        measure=_measure,
        pooling="average",
        reduce=mean,
        flags={NO_VALUE: Flag("the file has no value", missing=True)},
        check=_refuse,
    )


def evidence(values: Floats) -> Evidence:
    """Evidence of outputs with these values (n_items,); NaN where there is none."""
    there = np.isfinite(values)
    rows = np.stack([np.where(there, values, 0.0), there], axis=1).astype(np.float64)
    return Evidence.of_rows(rows, np.where(there, 0, NO_VALUE).tolist())


def _measure(items: Sequence[Item], params: ImportedParams, models: Models) -> Evidence:
    raise NotMeasured(NOT_MEASURED, "name")


def _refuse(params: ImportedParams, samples: Sequence[Sample]) -> None:
    raise NotMeasured(NOT_MEASURED, "name")
