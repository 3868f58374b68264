"""Evaluations as they come and go: what is asked for, and what is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from inference.protocols.declaration import Protocol
from inference.templates import Variable
from metrics.core.metric import Sample
from service.datasets.schemas import Record
from service.evaluations.usage_schemas import UsageOut
from service.http.fields import (
    DatasetName,
    Json,
    Name,
    Scalar,
    Schema,
    Text,
    Texts,
    storable_object,
)
from service.suites.schemas import LeftOutMetricOut, SuiteNamed


class MetricIn(Schema):
    """A metric by name, or with parameters; `GET /v1/metrics` lists both."""

    name: Name
    params: Json = Field(default_factory=dict)


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


MetricNamed = Annotated[MetricIn, BeforeValidator(_named, json_schema_input_type=Name | MetricIn)]
Metrics = Annotated[list[MetricNamed], Field(min_length=1, max_length=100)]


class SampleIn(Record):
    """One sample. `output` for one, `outputs` for several, neither when a model is to generate."""

    output: Text | None = None
    outputs: Annotated[Texts, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.output is not None and self.outputs is not None:
            raise PydanticCustomError("two_outputs", "give `output` or `outputs`, not both")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """The outputs, in either form."""
        return (self.output,) if self.output is not None else tuple(self.outputs or ())

    def sample(self, index: int) -> Sample:
        """What metrics read; `index` gives it an id where it has none."""
        return Sample.of(self.record(index), self.texts)


Samples = Annotated[list[SampleIn], Field(min_length=1)]

OneOrMore = Text | Annotated[Texts, Field(min_length=1)]


class GenerationIn(Schema):
    """How the service's own model generates; temperature 0 is greedy."""

    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 64
    temperature: Annotated[float, Field(ge=0, le=10)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0, le=10_000_000)] = 0  # 0: off
    num_outputs: Annotated[int, Field(ge=1, le=256)] = 1
    stop: Annotated[Texts, Field(max_length=16)] = Field(default_factory=list)
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    chat: bool | None = None  # null: the chat template is used where there is one
    system: Text | None = None
    chat_template_kwargs: Annotated[dict[Variable, Scalar], Field(max_length=32)] = Field(
        default_factory=dict,
        exclude_if=lambda given: not given,  # generation without them is what it has been
        description='Values of the chat template\'s own variables, as {"enable_thinking": false}.',
    )
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    reuse: bool = Field(
        default=False,
        exclude_if=lambda given: not given,  # generation without it is what it has been
        description="of a registered model: take replies that were drawn at random for earlier "
        "evaluations, where the same was asked. Replies at temperature 0 or with a seed are taken "
        "anyway",
    )

    @model_validator(mode="after")
    def _variables_need_a_template(self) -> Self:
        if self.chat_template_kwargs and self.chat is False:
            message = "chat_template_kwargs are the chat template's: leave them out, or chat: false"
            raise PydanticCustomError("no_template", message)
        return self

    @model_validator(mode="after")
    def _several_need_sampling(self) -> Self:
        if self.num_outputs > 1 and self.temperature == 0:
            message = (
                "num_outputs above 1 needs a temperature above 0: greedy outputs are all equal"
            )
            raise PydanticCustomError("greedy_outputs", message)
        return self


class BestIn(Schema):
    """The best output of each sample, for a dataset to train on."""

    name: DatasetName
    score: Name = Field(description="by which outputs are compared, as reward or chrf")
    at_least: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="leave samples out whose best output is worse: lower, or higher where lower is "
        "better",
    )


class BudgetIn(Schema):
    """The most that may be taken of models behind URLs, to generate and to measure. It stops before
    it would take more: what was not asked for is missing."""

    requests: Annotated[int, Field(ge=1, le=10**15)] | None = None
    tokens: Annotated[int, Field(ge=1, le=10**15)] | None = Field(
        default=None, description="input and output together, as the server counts them"
    )
    cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="in the currency of the model's prices"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.requests is None and self.tokens is None and self.cost is None:
            raise PydanticCustomError("no_limit", "give requests, tokens or cost")
        return self


ProtocolIn = Annotated[Protocol, BeforeValidator(storable_object)]


class RetryIn(Schema):
    """What another try of an evaluation has that the one before had not."""

    budget: BudgetIn | None = Field(
        default=None,
        description="in place of the evaluation's own, and of the whole of it, what is spent "
        "included: no part below what was spent. What the old one had no room for is asked for",
    )


class EvaluationIn(Schema):
    """Outputs to score: inline `samples`, `outputs` over a stored dataset, or a `model` to run."""

    system: Name | None = None  # default: the model
    dataset: Name | None = None  # a name, name@version or ds_…
    samples: Samples | None = None
    outputs: dict[Name, OneOrMore] | None = None  # by the ids of records
    model: Name | None = None
    generation: GenerationIn | None = None
    protocol: ProtocolIn | None = Field(
        default=None,
        description="how the model is asked, and what of its replies is the answer that metrics "
        "score; default: records as they are, replies as they are",
    )
    budget: BudgetIn | None = Field(
        default=None,
        description="the most that models behind URLs may take, judges and `remote` among them",
    )
    suite: SuiteNamed | None = Field(
        default=None,
        description="what the task is measured by, as summarization; what of it cannot be measured "
        "here on these samples is in `left_out`",
    )
    metrics: Annotated[list[MetricNamed], Field(max_length=100)] = Field(
        default_factory=list,
        description="at least one, or a suite; of a suite, they take the places of its own",
    )
    slices: Annotated[list[Name], Field(max_length=10)] = Field(default_factory=list)
    cluster: Name | None = Field(
        default=None,
        description="a field of the metadata, or `prompt`: samples with equal values belong "
        "together, as questions on one passage, and intervals are over those clusters",
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    replicates: Annotated[int, Field(ge=100, le=10_000)] | None = None
    level: Annotated[float, Field(gt=0, lt=1)] | None = None
    stop_when_settled: Name | None = Field(
        default=None,
        description="A sequential gate, looked at after each shard: once it is settled the "
        "evaluation ends, cancelled, and the gate's check has the verdict.",
    )

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


class Progress(BaseModel):
    """Counted in measurements: one sample under one metric; a sample to generate is one more."""

    done: int
    total: int


class VarianceOut(BaseModel):
    """What the variance of a mean of several outputs a sample, its standard error squared, is made
    of: more samples lower both parts, more outputs a sample the second alone.

    judge: of `draws`, what a judge's own draws add; more of its repeats lower that alone.
    """

    questions: float
    draws: float
    judge: float | None = None


class ScoreOut(BaseModel):
    """One score of an evaluation."""

    metric: str
    name: str
    slice: str | None = None  # `lang=ru`; null: the whole set
    value: float | None
    interval: tuple[float, float] | None
    level: float
    n: int
    missing: int
    higher_is_better: bool
    judged: bool = True  # false: neither is better, and `higher_is_better` only orders lists
    interval_method: str
    signature: str | None
    warnings: list[str]
    error: dict[str, Any] | None
    clusters: int | None = None  # that the interval is over; null: samples are independent
    design_effect: float | None = None  # of the clusters on the variance
    variance: VarianceOut | None = None
    rated: int | None = None  # samples with people's ratings; null: the score goes by none


class EvaluationOut(BaseModel):
    """An evaluation; `scores` are over the whole set."""

    id: str
    object: str = "evaluation"
    status: str
    system: str
    dataset: str
    dataset_version: int
    dataset_id: str
    model: str | None
    generation: dict[str, Any] | None
    protocol: dict[str, Any] | None = None  # with its defaults and ids; null: asked as it is
    budget: dict[str, Any] | None = None
    usage: UsageOut | None = None  # of a registered model, so far
    protocol_digest: str | None = None  # names it; equal where all of it is
    suite: str | None = None
    left_out: list[LeftOutMetricOut] = Field(default_factory=list)  # of the suite
    metrics: list[dict[str, Any]]
    progress: Progress
    scores: list[ScoreOut]
    slices: list[ScoreOut] = Field(default_factory=list)
    cluster: str | None = None  # the field by which samples belong together
    error: dict[str, Any] | None
    warnings: list[str] = Field(default_factory=list)  # of the outputs: those without an answer
    seed: int
    replicates: int
    # the harness, task and file that it was imported from; null: it was made here
    origin: dict[str, Any] | None = None
    # signatures, digests, machines, libraries, code, seeds: of where it was measured
    provenance: dict[str, Any] = Field(default_factory=dict)
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
