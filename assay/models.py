"""Answers of the service, as frozen objects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]
"""An object whose fields depend on a metric, a method or a user."""

MetricLike = str | Mapping[str, object]
"""A metric's name, or `{"name": …, "params": {…}}`."""

FINAL = frozenset({"succeeded", "failed", "cancelled"})
"""States in which nothing changes any more."""

T = TypeVar("T")


class Answer(BaseModel):
    """Base of answers. Fields that the service adds and this client does not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    def __getitem__(self, name: str) -> Any:
        """A field by its name, as in the JSON. Raises KeyError."""
        if name in type(self).model_fields or name in (self.model_extra or {}):
            return getattr(self, name)
        raise KeyError(name)


class Page(Answer, Generic[T]):
    """A page of a list; the next one begins after `last_id`."""

    data: list[T]
    last_id: str | None = None
    has_more: bool = False


class Progress(Answer):
    """How far it is: measurements of an evaluation, steps of a training job, bytes of a file."""

    done: int
    total: int


class Problem(Answer):
    """Why something has no value or failed; more fields tell more, as `step` of a training job."""

    model_config = ConfigDict(extra="allow")

    code: str = "unknown"
    message: str


class ScoreInfo(Answer):
    """A score that a metric yields. `judged`: False where neither high nor low is better, and
    `higher_is_better` only says how lists are ordered. `no_interval`: why it has none, no test."""

    name: str
    higher_is_better: bool
    judged: bool = True
    no_interval: str = ""
    low: float | None
    high: float | None
    about: str


class Metric(Answer):
    """A metric: what it needs, what it yields, and the JSON Schema of its parameters."""

    id: str
    version: int
    about: str
    formula: str = ""
    avoid: str = ""
    needs: list[str]
    reads: list[str]
    scores: list[ScoreInfo]
    interval: str
    pooling: str
    set_level: bool
    usable_as_reward: bool
    params: Json
    paper: str
    reference: str
    conventions: str


class Trainer(Answer):
    """A training method: what it minimises, what it trains on, its options as a JSON Schema."""

    id: str
    about: str
    objective: str
    paper: str
    kind: str
    produces: str
    options: Json
    conventions: str


class Dataset(Answer):
    """A version of a dataset; `size` counts its records."""

    id: str
    name: str
    version: int
    kind: str
    digest: str
    size: int
    created_at: datetime | None = None


class Variance(Answer):
    """What the variance of a mean, its standard error squared, is made of.

    `questions`: which samples were asked; `draws`: which outputs were drawn for them. Twice the
    samples halve both, twice the outputs a sample the second. `judge`: the part of `draws` that
    twice a judge's repeats halve.
    """

    questions: float
    draws: float
    judge: float | None = None


class Score(Answer):
    """One number of a metric with its confidence interval; `n` samples, `missing` outputs of them.

    `slice` is None for the whole set, otherwise as `lang=ru`. `clusters`: how many the interval is
    over, None where samples are independent; `design_effect`: by how much they multiply the
    variance; `variance`: of a score that is a mean of several outputs a sample;
    `rated`: samples with people's ratings, of a score that goes by them.
    """

    metric: str
    name: str
    slice: str | None = None
    value: float | None
    interval: tuple[float, float] | None
    level: float
    n: int
    missing: int
    higher_is_better: bool
    judged: bool = True
    interval_method: str
    signature: str | None
    warnings: list[str] = Field(default_factory=list)
    error: Problem | None = None
    clusters: int | None = None
    design_effect: float | None = None
    variance: Variance | None = None
    rated: int | None = None


class Unanswered(Answer):
    """What requests may have taken at most that are out, or were when their worker was killed."""

    requests: int
    tokens: int
    cost: float | None = None


class MetricsUsage(Answer):
    """What was paid for; `cached` replies were paid for before; a budget counts `unanswered` ones,
    too."""

    requests: int
    tokens: int
    input_tokens: int
    output_tokens: int
    cost: float | None = None
    cached: int
    unanswered: Unanswered | None = None


class Usage(MetricsUsage):
    """All that an evaluation has paid for, and what of it its metrics took: judges, `remote`."""

    metrics: MetricsUsage | None = None


class LeftOutMetric(Answer):
    """A metric that is not measured as its suite has it; `instead`: what is in its place."""

    metric: str
    reason: str
    instead: str | None = None


class Evaluation(Answer):
    """An evaluation; `scores` are of the whole set, `slices` of its parts. `protocol_digest` is
    equal where all of the `protocol` is; `warnings`: outputs of which nothing is an answer."""

    id: str
    status: str
    system: str
    dataset: str
    dataset_version: int
    dataset_id: str
    model: str | None = None
    generation: Json | None = None
    budget: Json | None = None
    usage: Usage | None = None
    protocol: Json | None = None
    protocol_digest: str | None = None
    suite: str | None = None
    left_out: list[LeftOutMetric] = Field(default_factory=list)
    metrics: list[Json] = Field(default_factory=list)
    progress: Progress
    scores: list[Score]
    slices: list[Score] = Field(default_factory=list)
    cluster: str | None = None
    error: Problem | None = None
    warnings: list[str] = Field(default_factory=list)
    seed: int | None = None
    replicates: int | None = None
    origin: Json | None = None
    provenance: Json = Field(default_factory=dict)
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether it has succeeded, failed or been cancelled."""
        return self.status in FINAL

    def score(self, name: str) -> Score:
        """The whole set's score called `name`. Raises KeyError."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)


class Trace(Answer):
    """How a protocol came to an output: `raw` is what the model wrote, `failed` why nothing of it
    is an answer, `reasoning` what it thought apart, `steps` react's, `draws` self_consistency's."""

    raw: str
    failed: str | None = None
    reasoning: str | None = None
    steps: list[Json] = Field(default_factory=list)
    draws: list[Json] = Field(default_factory=list)


class Details(Answer):
    """What making an output took; what is not known is None. `refusal` or `error` say why there is
    none."""

    finish_reason: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_s: float | None = None
    cost: float | None = None
    model: str | None = None
    fingerprint: str | None = None
    error: str | None = None
    over_budget: bool = False
    cached: bool = False
    requests: int = 1


class Verdict(Answer):
    """What a metric found of a sentence or instruction of an output, and what speaks for it."""

    text: str
    verdict: str
    source: str | None = None
    expected: str | None = None
    found: str | None = None
    values: dict[str, float] = Field(default_factory=dict)


class Verdicts(Answer):
    """A metric's verdicts on the parts of each of a sample's outputs."""

    metric: str
    position: int
    outputs: list[list[Verdict]]


class Sample(Answer):
    """A sample of an evaluation with its value under each score that has one per sample. With a
    protocol, `outputs` are the answers, and `traces` say how each came about."""

    id: str
    prompt: str | None
    messages: list[Json] | None = None
    outputs: list[str]
    traces: list[Trace] | None = None
    details: list[Details] | None = None
    references: list[str]
    metadata: Json
    scores: dict[str, float | None]
    verdicts: list[Verdicts] = Field(default_factory=list)


class SetScore(Answer):
    """A score computed at once; `per_sample` is None for metrics of a whole set."""

    value: float | None
    per_sample: list[float | None] | None = None
    n: int = 0
    missing: int = 0
    higher_is_better: bool | None = None
    signature: str | None = None
    warnings: list[str] = Field(default_factory=list)
    error: Problem | None = None


class SetScores(Answer):
    """Scores computed at once, by name."""

    scores: dict[str, SetScore]


class Event(Answer):
    """Something that happened; `id` is None for progress, which is not stored."""

    id: int | None
    type: str
    data: Json
