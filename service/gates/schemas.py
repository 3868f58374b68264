"""Gates and their checks, as they are asked for and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from service.evaluations.schemas import GenerationIn
from service.http.fields import Addressable, Name, Schema

Tier = Literal["critical", "supporting", "advisory"]
Verdict = Literal["go", "no_go", "inconclusive"]
Bound = Annotated[float, Field(ge=0, allow_inf_nan=False)]
MARGINS = ("max_drop", "max_relative_drop", "min_gain")


class RuleIn(Schema):
    """How much worse the candidate may be by one score, or how much better it has to be.

    A drop is a change for the worse, whichever direction the score has."""

    score: Name = Field(description="as chrf; or a metric's name, with one score")
    tier: Tier = Field(
        default="critical",
        description="critical: all have to be go, and one no_go stops; supporting: one no_go keeps "
        "the whole from go; advisory: shown only",
    )
    max_drop: Bound | None = Field(default=None, description="in the score's own unit")
    max_relative_drop: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="as a share of the baseline's value: 0.02 is 2%"
    )
    min_gain: Bound | None = Field(default=None, description="in the score's own unit")
    slice: Name | None = Field(default=None, description="as lang=ru; null: the whole set")

    @model_validator(mode="after")
    def _one_margin(self) -> Self:
        if sum(getattr(self, name) is not None for name in MARGINS) != 1:
            message = "give one of max_drop, max_relative_drop and min_gain"
            raise PydanticCustomError("one_margin", message)
        return self


class BaselineIn(Schema):
    """What a candidate is compared with: a system's newest succeeded evaluation, or one
    evaluation."""

    system: Name | None = None
    evaluation: Name | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.system is None) == (self.evaluation is None):
            raise PydanticCustomError("one_baseline", "give `system` or `evaluation`")
        return self


class GateIn(Schema):
    """A gate. The same name with other content makes a new version; checks keep to theirs."""

    name: Addressable
    baseline: Annotated[
        Name | BaselineIn,
        Field(description="an evaluation's id (eval_…) or a system's name; or an object of either"),
    ]
    dataset: Name = Field(description="a name, or name@version")
    rules: Annotated[list[RuleIn], Field(min_length=1, max_length=50)]
    alpha: Annotated[float, Field(ge=1e-6, lt=0.5)] = Field(
        default=0.05, description="how often a verdict may be wrong, over all critical rules"
    )
    cluster: Name | None = Field(
        default=None, description="a metadata field, as document; null: the baseline's own"
    )
    sequential: bool = Field(
        default=False,
        description="bounds that hold however often one looks; for bounded scores that are means",
    )

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "name": "ship-ru",
                    "baseline": "my-model",
                    "dataset": "news-ru",
                    "rules": [
                        {"score": "chrf", "max_drop": 0.5},
                        {"score": "length", "tier": "advisory", "max_relative_drop": 0.1},
                    ],
                }
            ]
        }
    }

    @property
    def base(self) -> BaselineIn:
        """The baseline, as an object."""
        if isinstance(self.baseline, BaselineIn):
            return self.baseline
        if self.baseline.startswith("eval_"):
            return BaselineIn(evaluation=self.baseline)
        return BaselineIn(system=self.baseline)


class GateOut(BaseModel):
    """A gate's version."""

    id: str
    object: str = "gate"
    name: str
    version: int
    baseline: BaselineIn
    dataset: str
    rules: list[RuleIn]
    alpha: float
    cluster: str | None
    sequential: bool
    created_at: datetime


class CheckIn(Schema):
    """The candidate: an evaluation, or a model or checkpoint, which is evaluated as the baseline
    was if it has not been."""

    evaluation: Name | None = None
    model: Name | None = None
    checkpoint: Name | None = None
    generation: GenerationIn | None = Field(
        default=None, description="how the model generates; null: as the baseline's did"
    )

    model_config = {"json_schema_extra": {"examples": [{"evaluation": "eval_b"}]}}

    @model_validator(mode="after")
    def _one_candidate(self) -> Self:
        if sum(one is not None for one in (self.evaluation, self.model, self.checkpoint)) != 1:
            message = "give one of evaluation, model and checkpoint"
            raise PydanticCustomError("one_candidate", message)
        if self.evaluation is not None and self.generation is not None:
            message = "generation is for a model: the evaluation's outputs are there already"
            raise PydanticCustomError("no_model", message)
        return self


class RuleOut(BaseModel):
    """One rule's verdict. Differences are signed so that more is better for the candidate.

    `bound`: the lower end of the interval; above `-margin` it is "go". The interval's upper end
    below `-margin` is "no_go". Each end is one-sided, at the level that the correction leaves.
    `samples_to_settle`: more samples that are 80% likely to settle it, if the true difference is
    the one seen; 0 where it is settled, null where no number would."""

    score: str
    tier: Tier
    slice: str | None
    verdict: Verdict
    baseline: float | None
    candidate: float | None
    difference: float | None
    margin: float | None  # the drop allowed; negative: the gain demanded
    interval: tuple[float, float] | None
    bound: float | None
    p_go: float | None  # corrected over the critical rules; null: sequential
    p_no_go: float | None
    n: int
    clusters: int | None
    samples_to_settle: int | None
    higher_is_better: bool
    note: str | None = None
    error: str | None = None


class CheckOut(BaseModel):
    """What a gate said of an evaluation. `verdict` is null while the evaluation is at work.

    `samples_to_settle`: the most that an open critical rule needs."""

    id: str
    object: str = "gate_check"
    gate: str
    version: int
    verdict: Verdict | None
    baseline: str | None  # the evaluation that it was compared with
    evaluation: str
    system: str
    status: str  # of the candidate's evaluation
    n: int | None
    total: int | None
    samples_to_settle: int | None
    rules: list[RuleOut]
    notes: list[str]
    error: dict[str, Any] | None
    created_at: datetime
