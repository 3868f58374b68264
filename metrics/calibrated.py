"""Calibrated: another metric's score on people's scale, by a function that was fitted to ratings.

Conventions
- The function is fitted once, by `POST /v1/calibrations`, and never changes: `{"calibration":
  "name@2"}` names it, the service fills in the metric it is of and the function. Both are in the
  signature (`digest`), so values of two calibrations are never ranked together.
- A sample's value is the function of its own value by the metric; the score is the mean over
  samples. For corpus metrics as BLEU that is the mean of sentences, not a function of the corpus.
- What was measured for the metric itself is not measured again.
- An isotonic curve is constant beyond the values it was fitted to; a line goes on.

Example
    >>> line = {"method": "linear", "knots": [[0.0, 1.0], [100.0, 5.0]]}
    >>> bound = METRIC.bind({"metric": "chrf", "score": "chrf", "function": line})
    >>> bound.score_names, bound.needs
    (('calibrated',), ('output', 'references'))
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from inference.errors import InputError
from metrics.core.errors import UnknownMetric
from metrics.core.evidence import Evidence
from metrics.core.metric import AnyMetric, BoundMetric, Metric, Params, Score, Source
from metrics.core.names import hint
from metrics.core.rows import Ints, Settled, mean
from metrics.statistics.regression import fitted

Finite = Annotated[float, Field(allow_inf_nan=False)]
NAME = "calibrated"


class Function(BaseModel):
    """A function of one number by its knots, rising in the first coordinate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["isotonic", "linear"]
    knots: tuple[tuple[Finite, Finite], ...] = Field(min_length=1, max_length=10_000)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        places = [place for place, _ in self.knots]
        if any(a >= b for a, b in pairwise(places)):
            raise PydanticCustomError("knots", "knots have to rise in their first coordinate")
        if self.method == "linear" and len(places) != 2:
            raise PydanticCustomError("knots", "a line has two knots")
        return self


class CalibratedParams(Params):
    """Which calibration; the rest is what it was found to be, and filled in by the service."""

    calibration: str | None = Field(None, description="its name, or name@version")
    metric: str | None = Field(None, description="the metric that it is of")
    params: dict[str, Any] = Field({}, description="that metric's parameters")
    score: str | None = Field(None, description="which of the metric's scores")
    function: Function | None = Field(None, description="from the metric's values to ratings")
    higher_is_better: bool = Field(True, description="of the ratings")
    digest: str | None = Field(None, description="of all of this; filled in")

    @model_validator(mode="after")
    def _digested(self) -> Self:
        if self.function is None:
            return self
        content = self.model_dump(mode="json", exclude={"calibration", "digest"})
        state = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
        digest = state.hexdigest()[:12]
        if self.digest not in {None, digest}:
            message = "the digest is of another function: leave it out, or take all as it was given"
            raise PydanticCustomError("digest", message)
        object.__setattr__(self, "digest", digest)
        return self


def derive(params: CalibratedParams) -> AnyMetric:
    """The metric for these parameters: measured as the one that it is of, settled by the function.

    Raises InputError where that is not known, or has no values of samples.
    """
    if params.calibration is None and params.function is None:
        raise InputError("name a calibration, as `adequacy` or `adequacy@2`", "params.calibration")
    if params.function is None or params.metric is None:
        raise InputError(
            "calibrations are looked up by a service alone: here, give all the `params` that "
            "GET /v1/calibrations/{name} shows, or `assay score --calibration FILE` its answer",
            "params.calibration",
        )
    return _derived(params.model_dump_json())


@lru_cache(maxsize=64)
def _derived(written: str) -> AnyMetric:
    params = CalibratedParams.model_validate_json(written)
    base, names = base_of(params), base_of(params).score_names
    if params.function is None or params.score not in names:
        message = f"{base.name} has no score {params.score!r}; {hint(params.score or '', names)}"
        raise InputError(message, "params.score")
    return _of(base, names.index(params.score), params, params.function)


def base_of(params: CalibratedParams) -> BoundMetric:
    """The metric that a calibration is of. Raises InputError."""
    from metrics import find

    if params.metric == NAME:
        raise InputError("a calibrated metric is not calibrated again", "params.metric")
    try:
        base = find(params.metric or "").bind(params.params)
    except UnknownMetric as error:
        raise InputError(error.message, "params.metric") from None
    except InputError as error:
        raise InputError(error.message, f"params.{error.field}") from None
    if base.set_level:
        message = f"{base.name} is of a set: no sample has a value that a function could be of"
        raise InputError(message, "params.metric")
    if base.opponent is not None:
        message = f"{base.name} compares with one other system: its values are no scale of others'"
        raise InputError(message, f"params.params.{base.opponent.param}")
    return base


def _of(base: BoundMetric, index: int, params: CalibratedParams, function: Function) -> AnyMetric:
    own = base.metric
    knots = np.array(function.knots, np.float64)
    ends = (float("-inf"), float("inf"))
    if function.method == "isotonic":
        ends = (float(knots[:, 1].min()), float(knots[:, 1].max()))

    def settle(evidence: Evidence, unit: Ints, _: CalibratedParams) -> Settled:
        settled = base.settle(evidence, unit)
        values = fitted(function.method, knots, base.per_sample(settled.rows)[:, index])
        rows = np.column_stack([values, np.ones(len(values))])
        signature = {**settled.signature, f"{base.name}_version": str(base.version)}
        return Settled(rows, signature=signature, warnings=settled.warnings)

    score = replace(SCORE, higher_is_better=params.higher_is_better, low=ends[0], high=ends[1])
    return replace(
        METRIC,
        reads=own.reads,
        needs=base.needs,
        scores=(score,),
        measure=lambda items, _, models: base.measure(items, models),
        measured_by=base,
        settle=settle,
        libraries=base.libraries,
        models=base.models,
        model_kind=own.model_kind,
        model_kinds=own.model_kinds,
        calls_url=own.calls_url,
        flags=own.flags,
        fields=base.fields,
        plan=lambda items, _, models: base.plan(items, models),
        check=lambda _, samples: base.check(samples),
        cached=own.cached,
        independent=own.independent,
        bulky=own.bulky,
        derive=None,
    )


def _underived(*_: object) -> Any:
    raise InputError("name a calibration", "params.calibration")


SCORE = Score(
    NAME,
    True,
    float("-inf"),
    float("inf"),
    "mean of the function of the samples' values, on the scale of the ratings",
    ("params", "function"),  # long, and in the digest
)

METRIC = Metric(
    name=NAME,
    version=1,
    about="Another metric's score on people's scale, by a function fitted to their ratings.",
    formula="(1/N) Σ f(m(x)), f isotonic or linear, fitted to ratings of some samples",
    avoid=(
        "On texts unlike those that were rated: the function knows nothing of them. It cannot "
        "tell apart what the metric scores alike."
    ),
    params=CalibratedParams,
    reads=("output",),
    needs=(),
    scores=(SCORE,),
    interval="bootstrap_t",
    source=Source(
        "Barlow et al. 1972 (isotonic regression); Mathur et al. 2020, arXiv:2006.06264",
        "scikit-learn 1.9 (IsotonicRegression, LinearRegression)",
    ),
    measure=_underived,
    settle=_underived,
    reduce=mean,
    derive=derive,
)
