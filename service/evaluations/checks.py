"""What a request for scores names (metrics, their models, samples), and what can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics import find
from metrics.core.ceilings import exceeded
from metrics.core.errors import MissingInput
from metrics.core.metric import BoundMetric, Sample
from metrics.core.names import hint
from metrics.core.run import prepare
from service.catalogue import calibrated
from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.errors import invalid, of_metric
from service.evaluations.plans import MetricRequest
from service.evaluations.schemas import EvaluationIn, MetricIn
from service.models import registered
from service.models import store as models
from service.settings import Settings

EVALUABLE = ("eval", "code", "prompts")  # kinds of datasets


@dataclass(frozen=True, slots=True)
class RequestedMetric:
    """A metric of the request, bound to its parameters."""

    metric: BoundMetric
    request: MetricRequest


def bound_metrics(
    db: Connection,
    settings: Settings,
    requested: Sequence[MetricIn],
    opponents: bool = False,
) -> list[RequestedMetric]:
    """Each metric with its parameters. Raises 422 naming the metric, parameter or model.

    opponents  may a metric compare with another system's outputs
    """
    bound = []
    for index, one in enumerate(requested):
        try:
            declared = find(one.name, settings.metric_roots)
            params = calibrated.filled(db, declared, one.params, f"metrics[{index}].params")
            metric = declared.bind(params)
            needed = metric.required_models
        except ReportedError as error:
            raise of_metric(error, f"metrics[{index}]") from None
        check_ceilings(metric, settings, f"metrics[{index}]")
        if not opponents:
            check_opponent(metric, f"metrics[{index}]")
        for name, param, kind in needed:
            models.require(db, settings, name, f"metrics[{index}].params.{param}", kind)
        bound.append(RequestedMetric(metric, MetricRequest(metric.name, params)))
    return bound


def check_opponent(metric: BoundMetric, where: str) -> None:
    """Raises 422 where a metric compares with another system's outputs: they are not at hand."""
    if metric.opponent is not None:
        message = (
            "outputs of another system are compared with in POST /v1/evaluations alone; leave "
        )
        message += "it out to compare with the references"
        raise invalid("no_opponent", message, f"{where}.params.{metric.opponent.param}")


def check_ceilings(metric: BoundMetric, settings: Settings, where: str) -> None:
    """Raises 422 where a parameter is above what this service allows."""
    above = exceeded(metric, settings.ceilings)
    if above is not None:
        name, message = above
        raise invalid("above_ceiling", message, f"{where}.params.{name}")


def evaluable(db: Connection, reference: str, param: str) -> Dataset:
    """The dataset. Raises 422 where there is none, or its records are not to be evaluated on."""
    dataset = datasets.require(db, reference, param)
    if dataset.kind not in EVALUABLE:
        message = f"dataset {dataset.name!r} is of kind {dataset.kind}; it takes one of "
        raise invalid("wrong_kind", message + ", ".join(EVALUABLE), param)
    if not dataset.size:
        message = f"dataset {dataset.name!r} has no samples: it came with values without rows"
        raise invalid("empty_dataset", message, param)
    return dataset


def check_prompts(
    samples: Sequence[Sample], where: str = "samples", param: str | None = None
) -> None:
    """Raises 422 where a sample has nothing to give to the model that is to answer.

    param  what the request names them by, where it does not hold them
    """
    for index, sample in enumerate(samples):
        if sample.prompt is None:
            message = f"{where}[{index}] (id {sample.id!r}) has no prompt to give to the model"
            raise invalid("missing_prompt", message, param or f"{where}[{index}].prompt")


def check_remote(db: Connection, body: EvaluationIn, requested: Sequence[RequestedMetric]) -> None:
    """Raises 422 for what only a model behind a URL has, and for what none has."""
    row = registered.find(db, body.model or "")
    if body.budget is not None:
        measuring = [one.metric for one in requested]
        names = [body.model or "", *(name for one in measuring for name in one.models)]
        calls = any(one.metric.calls_url for one in measuring)
        check_budget(db, body.budget.cost is not None, names, calls, "budget")
    if row is None:
        return
    if body.generation is not None and body.generation.chat is False:
        message = f"{body.model!r} is behind a URL, and asked by chat completions: leave `chat` out"
        raise invalid("chat_only", message, "generation.chat")


def check_budget(
    db: Connection, of_cost: bool, names: Sequence[str], calls_url: bool, param: str
) -> None:
    """Raises 422 for a budget that nothing could take from, or of costs that nobody knows.

    names      models that are asked, those that run here among them
    calls_url  whether a metric calls a URL of its own
    """
    found = [row for row in (registered.find(db, name) for name in dict.fromkeys(names)) if row]
    if not found and not calls_url:
        message = "all models run here and cost nothing: a budget is for models behind URLs"
        raise invalid("no_budget", message, param)
    free = [row.name for row in found if row.input_price is None and row.output_price is None]
    if of_cost and (free or not found):
        told = f"give {', '.join(map(repr, free))} a `price` first" if free else "limit `requests`"
        raise invalid("no_price", f"no cost is known: {told}", f"{param}.cost")


def check_slices(keys: Sequence[str], samples: Sequence[Sample]) -> None:
    """Raises 422 for a key that no sample has in its metadata, with the nearest there is."""
    known = dict.fromkeys(key for sample in samples for key in sample.metadata) if keys else {}
    for index, key in enumerate(keys):
        if key not in known:
            message = f"no sample has {key!r} in its metadata; {hint(key, known)}"
            raise invalid("unknown_slice", message, f"slices[{index}]")


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


def check_samples(
    requested: Sequence[RequestedMetric],
    samples: Sequence[Sample],
    where: str = "samples",
    param: str | None = None,
) -> None:
    """Raises 422 when a metric needs what a sample lacks, or cannot work on these samples.

    param  what the request names them by, where it does not hold them
    """
    for index, one in enumerate(requested):
        check_metric(one.metric, samples, f"metrics[{index}]", where, param)


def check_metric(
    metric: BoundMetric,
    samples: Sequence[Sample],
    at: str,
    where: str = "samples",
    param: str | None = None,
) -> None:
    """The same for the metric that stands `at` this place in the request."""
    try:
        prepare(metric, samples, where)
    except MissingInput as error:
        raise invalid(error.code, error.message, param or error.field) from None
    except ReportedError as error:
        raise of_metric(error, at) from None
