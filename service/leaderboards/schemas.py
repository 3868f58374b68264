"""Leaderboards and comparisons, as they are asked for and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from metrics.core.compare import Test
from metrics.statistics.corrections import Correction
from service.evaluations.schemas import Metrics
from service.http.fields import Name, Schema


class ProtocolOut(BaseModel):
    """How outputs were made. `digest` is equal where all of it is, but for seeds; `draws` is the
    number of outputs of a sample, as `1` or, where samples have unlike numbers, `1-4`."""

    digest: str
    text: str
    model: str | None  # that the service ran; null: the outputs were given
    draws: str
    template: dict[str, Any] | None = None
    generation: dict[str, Any] | None = None
    prompts: dict[str, Any] | None = None  # the evaluation's `protocol`, with its digest


class SameOutputs(BaseModel):
    """Another row of the board, and the share of samples on which both have the same outputs."""

    system: str
    evaluation: str
    share: float


class BoardRow(BaseModel):
    """A system, made in one way (`protocol`): its newest evaluation that has a value.
    `protocol_digest` names the part of it that was the evaluation's `protocol`: null where records
    were asked as they are, or outputs given.

    `rank_interval`: the ranks left open by the pairwise differences that are significant at 5%
    (paired by sample, Holm-corrected over all pairs of the board); `…_step_down` the same by Romano
    and Wolf's step-down, null where samples without a value differ or systems are too many.
    `tie_band`: systems of one band are not told apart from the band's first. `p_first`: the share
    of the bootstrap's replicates in which the system is first.

    `incomplete`: samples on which this system has no value and another one has. Such a system
    stands behind the complete ones and is called better than nobody; it is tested over the samples
    that both of a pair have, `n_common` in the smallest of its tests. `value_common` is its value
    over the samples that all systems have, `value_bounds` between what its value would be were the
    incomplete samples the worst and the best that the score allows. `unvoted`: samples without a
    vote on this system's output, of a score by people's votes, on which another system has one.
    That counts against nobody, and its pairs are tested over common samples, too.

    `design_effect`: by how much clusters multiply the value's variance; null where the row's
    interval is over independent samples.

    `same_outputs`: the row with which this one shares most outputs, word for word; `in_references`:
    the share of outputs that are one of their sample's references.

    `notes`: what the system's other evaluations on this dataset have otherwise."""

    rank: int
    rank_interval: tuple[int, int]
    system: str
    evaluation: str
    value: float
    interval: tuple[float, float] | None
    n: int
    missing: int
    incomplete: int = 0
    unvoted: int = 0
    p_vs_next: float | None  # corrected; against the row below; null: no test, or no verdict
    rank_interval_step_down: tuple[int, int] | None = None
    p_vs_next_step_down: float | None = None
    tie_band: int | None = None
    p_first: float | None = None
    n_common: int | None = None
    value_common: float | None = None
    value_bounds: tuple[float, float] | None = None
    design_effect: float | None = None
    rated: int | None = None  # samples with people's ratings, of a score that goes by them
    model: str | None = None  # that the service ran for the outputs
    generation: dict[str, Any] | None = None
    protocol_digest: str | None = None
    protocol: ProtocolOut | None = None
    same_outputs: SameOutputs | None = None
    in_references: float | None = None
    notes: list[str] = Field(default_factory=list)
    finished_at: datetime


class ControlRow(BaseModel):
    """What a board's score gives to a control; `notes` say why there is no value, or what its
    signature has otherwise than the board's."""

    control: str
    about: str
    evaluation: str
    value: float | None
    interval: tuple[float, float] | None
    n: int
    missing: int
    notes: list[str] = Field(default_factory=list)


class LeftOut(BaseModel):
    """A system that is not on the board, and why. Without a value it has no signature."""

    system: str
    evaluation: str
    signature: str | None
    reason: str


class Leaderboard(BaseModel):
    """Systems on one dataset version by one score; only values of one signature are ranked, and
    unless `protocol` is `any`, of one protocol of evaluations: its digest, or `none`.

    A board is computed when an evaluation lands on its dataset, and stored. `pending` evaluations
    have landed since, and are not in it yet: above zero on large boards alone, for some seconds.

    `rows` are a page of `size` rows; the next begins with `?after=<last_id>` where `has_more`.
    `left_out` is told on the first page. `controls`, where they were asked for, are what the score
    gives to nonsense and to a human: they are no systems, and are not ranked. `n_common`: samples
    on which all systems have a value.
    """

    object: str = "leaderboard"
    dataset: str
    version: int
    dataset_id: str
    metric: str
    slice: str | None
    higher_is_better: bool
    judged: bool = True  # false: neither is better, and `higher_is_better` only orders lists
    signature: str
    signatures: list[str]
    protocol: str = "none"
    protocols: list[str] = Field(default_factory=list)  # that a board could be of
    tests: str | None = None  # how pairs were tested
    cluster: str | None = None  # the field by whose groups samples were resampled
    clusters: int | None = None
    n_common: int | None = None
    warnings: list[str] = Field(default_factory=list)
    at: datetime | None = None  # shown as it stood then
    computed_at: datetime | None = None
    pending: int = 0
    size: int = 0
    last_id: str | None = None
    has_more: bool = False
    rows: list[BoardRow]
    left_out: list[LeftOut]
    controls: list[ControlRow] | None = None


class ControlsIn(Schema):
    """Which controls of a dataset to measure."""

    metrics: Metrics | None = Field(
        None,
        description="by these; default: all that systems on the dataset have been measured with, "
        "but for those that run a model",
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        0, description="of the order of shuffled references, and of which is left out"
    )


class ControlOut(BaseModel):
    """A control's evaluation, on its way or there: `GET /v1/evaluations/{id}`."""

    control: str
    evaluation: str
    status: str


class Controls(BaseModel):
    """Controls of a dataset version; `left_out`: which are not possible, and which metrics are not
    measured unless they are named."""

    object: str = "list"
    dataset: str
    version: int
    dataset_id: str
    metrics: list[str]
    data: list[ControlOut]
    left_out: list[str]


class BoardEntry(BaseModel):
    """A dataset version, and the scores that its boards can rank by."""

    dataset: str
    version: int
    dataset_id: str
    metrics: list[str]


class Boards(BaseModel):
    """Which boards there are."""

    object: str = "list"
    data: list[BoardEntry]


class ComparisonIn(Schema):
    """Finished evaluations, two or more; `metrics` may name metrics or single scores (default:
    all)."""

    evaluations: Annotated[list[Name], Field(min_length=2, max_length=200)]
    baseline: Name | None = Field(
        None, description="an evaluation that each is compared with; default: every pair"
    )
    metrics: Annotated[list[Name], Field(min_length=1)] | None = None
    test: Test = Field(
        "paired_bootstrap",
        description="mcnemar, wilcoxon and t are of the samples' own values; mcnemar is for scores "
        "of 0 and 1. Metrics of the whole set, as mauve, are tested by the paired jackknife, "
        "calibration errors by exchange",
    )
    recipe: Literal["centred", "sacrebleu"] = Field(
        "centred", description="of paired_bootstrap; sacrebleu: as that package counts"
    )
    correction: Correction = Field(
        "holm",
        description="over all results of the answer. holm: the chance of any false finding stays "
        "below 5%; bh: the share of false ones among the findings does",
    )
    cluster: Name | None = Field(
        None,
        description="a metadata field, or `prompt`: samples with the same value are resampled "
        "together; default: the field that all the evaluations have",
    )
    slice: Name | None = Field(None, description="as lang=ru: over those samples alone")
    trials: Annotated[int, Field(ge=100, le=100_000)] = Field(
        10_000, description="of approximate_randomization; more are drawn where a correction needs"
    )

    model_config = {
        "json_schema_extra": {
            "examples": [{"evaluations": ["eval_a", "eval_b"], "metrics": ["bleu"]}]
        }
    }


class ResultOut(BaseModel):
    """`difference` is a - b with its interval; `p_corrected` is over all results shown here.

    `only_a`, `only_b`: samples on which only that one has a value. Who is ahead and lacks some has
    no verdict: `significant` is null, and `note` says so. `unvoted_a`, `unvoted_b`: those of them
    on which people's votes on that one's output are lacking, which withholds no verdict. `bounds`:
    between these a - b lies over the samples of either, were what one lacks the worst and the best
    that the score allows; null where none lacks any, for scores without a range, and for those of a
    whole corpus.

    `p_method`: `counted` among draws; `t`, `normal`: the tail of that distribution, because draws
    enough for the correction are too many; `exact`. `minimum_detectable_difference`: what n samples
    find with a power of 80%; `samples_to_separate`: how many find this difference; both corrected
    for the number of results where `correction` is holm."""

    metric: str
    name: str
    evaluation_a: str
    evaluation_b: str
    system_a: str
    system_b: str
    a: float | None
    b: float | None
    difference: float | None
    interval: tuple[float, float] | None
    level: float | None = None  # of the interval: the evaluations' own
    standard_error: float | None = None  # of the difference
    p_value: float | None
    p_method: str | None = None
    p_corrected: float | None
    significant: bool | None  # at 5%, corrected
    n: int
    rated: int | None = None  # of them, by people; the lesser of two; null: it goes by no ratings
    only_a: int = 0
    only_b: int = 0
    unvoted_a: int = 0
    unvoted_b: int = 0
    clusters: int | None = None  # that were resampled; null: samples are independent
    design_effect: float | None = None  # by which they multiply the difference's variance
    wins: int | None = None  # samples on which a is better; null: there are no values of samples
    ties: int | None = None
    losses: int | None = None
    bounds: tuple[float, float] | None = None
    minimum_detectable_difference: float | None = None
    samples_to_separate: int | None = None
    test: str
    higher_is_better: bool
    judged: bool = True  # false: neither is better, whatever differs
    signature: str
    note: str | None = None
    warnings: list[str] = Field(default_factory=list)
    error: str | None = None


class ComparisonOut(BaseModel):
    """Evaluations compared: a result for each pair, or each against the baseline (b), and each
    score of both. `a`, `b` and their systems are those of a single pair. `differs`: what else the
    two do not share, as the dataset's version or the settings of generation; of many, what any has
    otherwise than the first. `notes`: pairs that share no score, clusters that do not fit,
    evaluations that were asked by different protocols."""

    object: str = "comparison"
    a: str | None
    b: str | None
    system_a: str | None
    system_b: str | None
    evaluations: list[str]
    systems: list[str]
    baseline: str | None
    test: str
    recipe: str
    correction: Correction
    trials: int
    cluster: str | None
    slice: str | None
    differs: list[str]
    notes: list[str]
    results: list[ResultOut]
