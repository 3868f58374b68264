"""Meta-evaluations, as they are asked for and shown."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator
from pydantic_core import PydanticCustomError

from metrics.statistics.corrections import Correction
from service.http.fields import Name, Schema


class MetaEvaluationIn(Schema):
    """Evaluations of systems on one dataset whose outputs people have rated."""

    evaluations: Annotated[list[Name], Field(min_length=1, max_length=50)]
    ratings: Name | dict[Name, Name] = Field(
        description="the field of the samples' metadata that holds them; or a field for each "
        "evaluation, by its id or its system's name"
    )
    metrics: Annotated[list[Name], Field(min_length=1, max_length=20)] | None = Field(
        None, description="scores, as chrf; default: all that the evaluations share"
    )
    correction: Correction = Field("holm", description="over all tests of the answer")
    permutations: Annotated[int, Field(ge=100, le=10_000)] = Field(
        1000, description="of each test; fewer where outputs are many, and `notes` then say so"
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="of the permutations")

    @field_validator("evaluations")
    @classmethod
    def _each_once(cls, evaluations: list[str]) -> list[str]:
        """Ratings that count twice would make p-values too small."""
        twice = next((one for one in evaluations if evaluations.count(one) > 1), None)
        if twice is not None:
            raise PydanticCustomError("twice", "{name} is there twice", {"name": twice})
        return evaluations

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "evaluations": ["eval_a", "eval_b"],
                    "ratings": {"system-a": "grade_a", "system-b": "grade_b"},
                }
            ]
        }
    }


class MetaStatisticOut(BaseModel):
    """A number with its interval, over samples; null where it is not defined."""

    value: float | None
    interval: tuple[float, float] | None


class RatedSystemOut(BaseModel):
    """A system, with people's mean rating of its outputs."""

    evaluation: str
    system: str
    ratings: str
    rated: int
    mean: float


class MetaScoreOut(BaseModel):
    """How far one score agrees with people, more being better in both.

    `segment`: of outputs. `pearson`, `spearman`, `kendall` (tau-b) over all outputs together;
    `kendall_by_sample` of the systems on each sample, averaged; `acc_eq` the share of pairs of
    outputs of one sample that are ordered or tied as people have them, averaged over samples,
    scores being tied up to `epsilon`. `system`: of systems' means; `pairwise_accuracy` is the share
    of pairs of systems that are ordered as by people, `soft_pairwise_accuracy` goes by how sure
    either is of it.
    """

    name: str
    metric: str
    signature: str
    n: int
    segment: dict[str, MetaStatisticOut]
    epsilon: float | None
    system: dict[str, MetaStatisticOut]


class MetaTestOut(BaseModel):
    """Whether score `a` agrees better with people than `b` does: `difference` of a statistic of
    both, over outputs that have both, by exchanging them at random outputs (PERM-BOTH)."""

    a: str
    b: str
    level: Literal["segment", "system"]
    statistic: str
    difference: float | None
    p_value: float | None
    p_corrected: float | None
    significant: bool | None  # at 5%, corrected


class MetaEvaluationOut(BaseModel):
    """Scores held to people's ratings of several systems."""

    object: str = "meta_evaluation"
    systems: list[RatedSystemOut]
    samples: int
    level: float
    correction: Correction
    permutations: int
    metrics: list[MetaScoreOut]
    tests: list[MetaTestOut]
    notes: list[str]
