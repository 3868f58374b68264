"""GET /v1/metrics: what can be measured, straight from the declarations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from inference.errors import ReportedError
from metrics import catalogue, find
from metrics.core.ceilings import lowered
from metrics.core.metric import AnyMetric, BoundMetric
from service.errors import ApiError
from service.http.dependencies import CurrentSettings
from service.http.fields import Page
from service.http.router import Router

router = Router(prefix="/v1/metrics", tags=["metrics"])


class ScoreInfo(BaseModel):
    """One number that a metric yields; a bound is null where there is none."""

    name: str
    higher_is_better: bool
    judged: bool = True  # false: neither is better, and `higher_is_better` only orders lists
    no_interval: str = ""  # why it has neither an interval nor a test; "": it has
    low: float | None
    high: float | None
    about: str


class MetricInfo(BaseModel):
    """A metric: what it needs, what it yields, and the JSON Schema of its parameters.

    `pooling` says what becomes of a sample's several outputs: their statistics add up ("pool"),
    are averaged ("average"), or make a row in the metric's own way ("own"; see its conventions).
    `avoid` says where not to use it, and what it does not see.
    """

    id: str
    object: str = "metric"
    version: int
    about: str
    formula: str
    avoid: str
    needs: list[str]
    reads: list[str]
    scores: list[ScoreInfo]
    interval: str
    pooling: str
    set_level: bool
    usable_as_reward: bool
    params: dict[str, Any]
    paper: str
    reference: str
    conventions: str


@router.get("", summary="All metrics")
def list_metrics(settings: CurrentSettings) -> Page[MetricInfo]:
    """Every metric, with the JSON Schema of its parameters: no `maximum` is above what this
    service allows."""
    found = [describe(metric, settings.ceilings) for metric in catalogue().values()]
    return Page(data=found, first_id=found[0].id, last_id=found[-1].id)


@router.get("/{name:path}", summary="One metric")
def get_metric(name: str, settings: CurrentSettings) -> MetricInfo:
    """One metric by name, `evaluate/<path>` included."""
    try:
        return describe(find(name, settings.metric_roots), settings.ceilings)
    except ReportedError as error:
        raise ApiError(404, error.code, error.message, "name") from None


def describe(metric: AnyMetric, ceilings: Mapping[str, int] | None = None) -> MetricInfo:
    """Scores and needs are those of the default parameters, with none where some are required.

    ceilings  the settings that hold parameters lower than their schema does
    """
    bound = BoundMetric(metric, metric.params.model_construct())
    scores = [
        ScoreInfo(
            name=score.name,
            higher_is_better=score.higher_is_better,
            judged=score.judged,
            no_interval=score.no_interval,
            low=_finite(score.low),
            high=_finite(score.high),
            about=score.about,
        )
        for score in bound.scores
    ]
    return MetricInfo(
        id=metric.name,
        version=metric.version,
        about=metric.about,
        formula=metric.formula,
        avoid=metric.avoid,
        needs=list(bound.needs),
        reads=list(metric.reads),
        scores=scores,
        interval=metric.interval,
        pooling=metric.pooling or "own",
        set_level=metric.set_level,
        usable_as_reward=not metric.set_level,
        params=lowered(metric.params.model_json_schema(), ceilings or {}),
        paper=metric.source.paper,
        reference=metric.source.reference,
        conventions=metric.conventions,
    )


def _finite(bound: float) -> float | None:
    return bound if abs(bound) != float("inf") else None
