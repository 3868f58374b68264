"""What may be asked of `POST /v1/evaluations`, and its admission: checked, then stored, whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection

from metrics.core.metric import Sample
from service.datasets import store as datasets
from service.errors import invalid
from service.evaluations import store as evaluations
from service.evaluations.checks import (
    Metrics,
    RequestedMetric,
    Samples,
    existing,
    fit,
    known_metrics,
    known_model,
    unique_ids,
)
from service.http.fields import Name, Schema, Text
from service.jobs import queue
from service.settings import Settings

Texts = Text | Annotated[list[Text], Field(min_length=1)]


class GenerationIn(Schema):
    """How the service's own model generates; temperature 0 is greedy."""

    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 64
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0  # 0: off
    num_outputs: Annotated[int, Field(ge=1, le=256)] = 1
    stop: Annotated[list[Text], Field(max_length=16)] = Field(default_factory=list)
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    chat: bool | None = None  # null: the chat template is used where there is one
    system: Text | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    @model_validator(mode="after")
    def _several_need_sampling(self) -> Self:
        if self.num_outputs > 1 and self.temperature == 0:
            message = (
                "num_outputs above 1 needs a temperature above 0: greedy outputs are all equal"
            )
            raise PydanticCustomError("greedy_outputs", message)
        return self


class EvaluationIn(Schema):
    """Outputs to score: inline `samples`, `outputs` over a stored dataset, or a `model` to run."""

    system: Name | None = None  # default: the model
    dataset: Name | None = None  # a name, name@version or ds_…
    samples: Samples | None = None
    outputs: dict[Text, Texts] | None = None
    model: Name | None = None
    generation: GenerationIn | None = None
    metrics: Metrics
    slices: Annotated[list[Name], Field(max_length=10)] = Field(default_factory=list)
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    replicates: Annotated[int, Field(ge=100, le=10_000)] | None = None
    level: Annotated[float, Field(gt=0, lt=1)] | None = None

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "system": "my-model",
                    "dataset": "news-ru",
                    "samples": [
                        {
                            "id": "1",
                            "prompt": "О чём статья?",
                            "output": "Статья о погоде в Москве.",
                            "references": ["Статья рассказывает о погоде в Москве."],
                            "metadata": {"lang": "ru"},
                        },
                        {
                            "id": "2",
                            "prompt": "What is the capital of France?",
                            "output": "The capital of France is Paris.",
                            "references": ["Paris is the capital of France."],
                            "metadata": {"lang": "en"},
                        },
                    ],
                    "metrics": ["bleu", {"name": "rouge", "params": {"stemmer": True}}],
                    "slices": ["lang"],
                }
            ]
        }
    }


def admit(db: Connection, body: EvaluationIn, settings: Settings) -> str:
    """Check everything, store everything, defer the plan; returns the evaluation's id."""
    _one_source(body)
    asked = known_metrics(body.metrics, settings, db)
    if body.model is not None:
        known_model(body.model, settings, "model", db)
    dataset_id, samples, texts = _content(db, body, asked)
    made = evaluations.create(
        db,
        system=body.system or body.model or "",
        dataset_id=dataset_id,
        size=len(samples),
        metrics=[one.request for one in asked],
        model=body.model,
        generation=_generation(body),
        slices=body.slices,
        seed=body.seed,
        replicates=body.replicates or settings.replicates,
        level=body.level or settings.level,
    )
    if texts:
        evaluations.add_outputs(db, made, texts.items())
    queue.defer(db, "evaluate.plan", evaluation=made)
    return made


def _one_source(body: EvaluationIn) -> None:
    """Outputs come from exactly one place."""
    if body.model is None and body.system is None:
        raise invalid("missing_system", "name the system whose outputs these are", "system")
    if body.model is None and body.generation is not None:
        raise invalid("no_model", "generation is for a model that the service runs", "generation")
    if body.outputs is not None and body.samples is not None:
        raise invalid("two_sources", "give samples or outputs, not both", "outputs")
    if body.outputs is not None and body.model is not None:
        raise invalid("two_sources", "give outputs or a model to make them, not both", "model")
    if body.samples is None and body.outputs is None and body.model is None:
        raise invalid("no_outputs", "give samples, outputs over a dataset, or a model", "samples")
    if body.samples is None and body.dataset is None:
        raise invalid("missing_dataset", "name the dataset the outputs belong to", "dataset")


def _content(
    db: Connection, body: EvaluationIn, asked: list[RequestedMetric]
) -> tuple[str, list[Sample], dict[int, list[str]]]:
    """The dataset's id, the samples, and their outputs by record index (none: to generate)."""
    if body.samples is not None:
        return _inline(db, body, asked)
    found = existing(db, body.dataset or "", "dataset")
    if found.kind not in {"eval", "code", "prompts"}:
        raise invalid("wrong_kind", f"dataset {found.name!r} is of kind {found.kind}", "dataset")
    records = datasets.read_records(db, found.id)
    outputs = _by_record(body, records, found.name) if body.outputs is not None else {}
    pending = _pending(body)
    samples = [
        Sample.of(record, outputs.get(index, pending)) for index, record in enumerate(records)
    ]
    _promptless(body, samples, "records")
    fit(asked, samples, "records")
    return found.id, samples, outputs


def _inline(
    db: Connection, body: EvaluationIn, asked: list[RequestedMetric]
) -> tuple[str, list[Sample], dict[int, list[str]]]:
    given = body.samples or []
    name = body.dataset or f"inline-{body.system or body.model}".replace("@", "-")
    if name.startswith("ds_") or "@" in name:
        message = "samples make a version of a dataset: give its plain name, or give `outputs`"
        raise invalid("fixed_dataset", message, "dataset")
    for index, sample in enumerate(given):
        if body.model is None and not sample.texts:
            message = f"samples[{index}] has no output, and no model is named to make one"
            raise invalid("missing_output", message, f"samples[{index}].output")
        if body.model is not None and sample.texts:
            message = f"samples[{index}] has an output, and {body.model} is to make one"
            raise invalid("two_sources", message, f"samples[{index}].output")
    pending = _pending(body)
    samples = [sample.sample(index) for index, sample in enumerate(given)]
    unique_ids(samples)
    if pending:
        samples = [replace(sample, outputs=pending) for sample in samples]
    _promptless(body, samples, "samples")
    fit(asked, samples)
    content = [sample.record(index) for index, sample in enumerate(given)]
    found, _ = datasets.put(db, name, "eval", content)
    texts = {} if pending else {at: list(one.outputs) for at, one in enumerate(samples)}
    return found.id, samples, texts


def _by_record(body: EvaluationIn, records: list[Any], dataset: str) -> dict[int, list[str]]:
    """Outputs by record index; every record has to have some, and no other id may occur."""
    given: Mapping[str, Any] = body.outputs or {}
    place = {record["id"]: index for index, record in enumerate(records)}
    for record_id in given:
        if record_id not in place:
            message = f"dataset {dataset!r} has no record {record_id!r}"
            raise invalid("unknown_record", message, f"outputs.{record_id}")
    lacking = [record_id for record_id in place if record_id not in given]
    if lacking:
        shown = ", ".join(map(repr, lacking[:5])) + (", …" if len(lacking) > 5 else "")
        message = f"{len(lacking)} of {len(records)} records have no output: {shown}"
        raise invalid("missing_outputs", message, "outputs")
    return {
        place[record_id]: [texts] if isinstance(texts, str) else list(texts)
        for record_id, texts in given.items()
    }


def _pending(body: EvaluationIn) -> tuple[str, ...]:
    """As many empty outputs as the model will make, so that counts can be checked now."""
    if body.model is None:
        return ()
    return ("",) * (body.generation.num_outputs if body.generation else 1)


def _promptless(body: EvaluationIn, samples: list[Sample], where: str) -> None:
    if body.model is None:
        return
    for index, sample in enumerate(samples):
        if sample.prompt is None:
            message = f"{where}[{index}] (id {sample.id!r}) has no prompt to give to the model"
            raise invalid("missing_prompt", message, f"{where}[{index}].prompt")


def _generation(body: EvaluationIn) -> dict[str, Any] | None:
    if body.model is None:
        return None
    return (body.generation or GenerationIn()).model_dump(mode="json")
