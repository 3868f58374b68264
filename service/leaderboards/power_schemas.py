"""Power analyses, as they are asked for and shown."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from service.evaluations.schemas import VarianceOut
from service.http.fields import Name, Schema


class PowerIn(Schema):
    """How many samples an effect needs, from the variance of one or two succeeded evaluations."""

    evaluation: Name | None = None
    evaluations: Annotated[list[Name], Field(min_length=2, max_length=2)] | None = None
    metric: Name = Field(description="a score's name, as rougeL; or a metric's with one score")
    slice: Name | None = Field(default=None, description="as lang=ru")
    effect: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="the true difference to find, in the score's own unit"
    )
    power: Annotated[float, Field(ge=0.1, le=0.9999)] = 0.8
    alpha: Annotated[float, Field(ge=1e-6, lt=0.5)] = 0.05
    one_sided: bool = False
    cluster: Name | None = Field(
        default=None, description="a metadata field, as document; null: the evaluation's own"
    )

    model_config = {
        "json_schema_extra": {
            "examples": [
                {"evaluations": ["eval_a", "eval_b"], "metric": "chrf", "effect": 1.0},
            ]
        }
    }

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.evaluation is None) == (self.evaluations is None):
            raise PydanticCustomError("one_source", "give `evaluation` or `evaluations`")
        return self


class DesignOut(BaseModel):
    """What one way to measure can show.

    `detectable`: the least true difference that this many samples find with the power asked for.
    `samples`: how many the effect needs (unpaired: of each system), `more` than there are now.
    All null where nothing varies.
    """

    deviation: float  # of what a sample, or a cluster of mean size, says
    detectable: float | None
    samples: int | None
    more: int | None


class DrawsOut(BaseModel):
    """What more outputs a sample would give. `outputs` null: the limit of ever more of them."""

    outputs: int | None
    error_ratio: float  # the standard error, as a share of today's
    samples: int | None  # that the effect needs then, paired


class PowerOut(BaseModel):
    """`paired`: both systems answer the same samples; null where nothing tells how alike they are.
    `paired_with`: the other evaluations that told it, of a single evaluation."""

    object: str = "power"
    metric: str
    name: str
    slice: str | None
    cluster: str | None
    a: float
    b: float | None
    difference: float | None
    n: int
    clusters: int | None
    effect: float | None
    power: float
    alpha: float
    one_sided: bool
    correlation: float | None
    paired: DesignOut | None
    unpaired: DesignOut
    paired_with: list[str]
    variance: VarianceOut | None  # of a score that is a mean over several outputs a sample
    draws: list[DrawsOut]
    notes: list[str]
