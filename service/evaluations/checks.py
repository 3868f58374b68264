"""What a request for scores names (samples, metrics, models, datasets), and what can be wrong."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection

from inference.errors import ReportedError
from inference.names import CHECKPOINT, locate
from metrics import find
from metrics.core.errors import MissingInput
from metrics.core.metric import BoundMetric, Sample
from metrics.core.run import prepare
from service.datasets import store as datasets
from service.errors import ApiError, invalid, not_found, of_metric
from service.evaluations.store import MetricRequest
from service.http.fields import Json, Name, Schema, Text
from service.settings import Settings
from service.training import checkpoints_store as checkpoints


class MetricIn(Schema):
    """A metric by name, or with parameters; `GET /v1/metrics` lists both."""

    name: Name
    params: Json = Field(default_factory=dict)


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Metrics = Annotated[
    list[Annotated[MetricIn, BeforeValidator(_named)]], Field(min_length=1, max_length=50)
]


class SampleIn(Schema):
    """One sample. `output` for one, `outputs` for several, neither when a model is to generate."""

    id: Name | None = None  # default: its place in the list, from 1
    prompt: Text | None = None
    output: Text | None = None
    outputs: Annotated[list[Text], Field(min_length=1)] | None = None
    references: list[Text] = Field(default_factory=list)
    tests: Text | None = None  # source run after the candidate, for pass_at_k
    metadata: Json = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.output is not None and self.outputs is not None:
            raise PydanticCustomError("two_outputs", "give `output` or `outputs`, not both")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.output,) if self.output is not None else tuple(self.outputs or ())

    def record(self, index: int) -> dict[str, Any]:
        """What a dataset keeps of it: all but the outputs."""
        kept: dict[str, Any] = {"id": self.id or str(index + 1)}
        if self.prompt is not None:
            kept["prompt"] = self.prompt
        if self.references:
            kept["references"] = self.references
        if self.tests is not None:
            kept["tests"] = self.tests
        if self.metadata:
            kept["metadata"] = self.metadata
        return kept

    def sample(self, index: int) -> Sample:
        return Sample.of(self.record(index), self.texts)


Samples = Annotated[list[SampleIn], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class RequestedMetric:
    """A metric of the request, bound to its parameters."""

    metric: BoundMetric
    request: MetricRequest


def known_metrics(
    asked: Sequence[MetricIn], settings: Settings, db: Connection
) -> list[RequestedMetric]:
    """Each metric with its parameters. Raises 422 naming the metric, parameter or model."""
    found = []
    for index, one in enumerate(asked):
        try:
            metric = find(one.name, settings.metric_roots).bind(one.params)
            names = metric.models
        except ReportedError as error:
            raise of_metric(error, f"metrics[{index}]") from None
        for name in names:
            known_model(name, settings, f"metrics[{index}].params.model", db)
        found.append(RequestedMetric(metric, MetricRequest(one.name, one.params)))
    return found


def known_model(name: str, settings: Settings, param: str, db: Connection) -> None:
    """Raises 422 when the model cannot be found, or may not be loaded from where it is.

    A checkpoint is known when its row is: its files may lie on another machine.
    """
    if name.startswith(CHECKPOINT) and checkpoints.folder(db, name) is not None:
        return
    try:
        locate(name, settings.model_roots, offline=not settings.hub_allowed)
    except ReportedError as error:
        raise invalid(error.code, error.message, param) from None


def existing(db: Connection, reference: str, param: str | None = None) -> datasets.Dataset:
    """The dataset. Raises 404, or 422 when the request's body named it, with the nearest names."""
    found = datasets.find(db, reference)
    if found is not None:
        return found
    near = difflib.get_close_matches(reference, datasets.names(db), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else ""
    missing = not_found("dataset", reference, hint)
    if param is not None:
        raise ApiError(422, missing.code, missing.message, param)
    raise missing


def unique_ids(samples: Sequence[Sample], where: str = "samples") -> None:
    """Raises 422 when two samples have the same id."""
    seen: dict[str, int] = {}
    for index, sample in enumerate(samples):
        first = seen.setdefault(sample.id, index)
        if first != index:
            raise invalid(
                "duplicate_id",
                f"{where}[{index}].id: {sample.id!r} is the id of {where}[{first}] already",
                f"{where}[{index}].id",
            )


def fit(
    asked: Sequence[RequestedMetric], samples: Sequence[Sample], where: str = "samples"
) -> None:
    """Raises 422 when a metric needs what a sample lacks, or cannot work on these samples."""
    for index, one in enumerate(asked):
        try:
            prepare(one.metric, samples, where)
        except MissingInput as error:
            raise invalid(error.code, error.message, error.field) from None
        except ReportedError as error:
            raise of_metric(error, f"metrics[{index}]") from None
