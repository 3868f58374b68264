"""Studies, as they are asked for and shown."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from service.annotation.schemas import Form, Language, Rating, Share, check_scale
from service.http.fields import Schema

HalfWidth = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Level = Annotated[float, Field(ge=0.5, le=0.999, allow_inf_nan=False)]
Measure = Literal["win_rate", "rating", "best_less_worst", "label_share", "kept_share"]


class StudyIn(Schema):
    """What a study is to find out, before there is a project; fields as the project's."""

    form: Form
    half_width: HalfWidth = Field(
        description="of each system's interval: of a win rate or share, 0.05 is ±5 points"
    )
    scale: tuple[Rating, Rating] | None = Field(default=None, description="of likert: [1, 5]")
    systems: Annotated[int, Field(ge=1, le=50)] = 2
    tuple_size: Annotated[int, Field(ge=3, le=8)] = 4
    overlap: Annotated[int, Field(ge=1, le=100)] = 3
    per_annotator: Annotated[int, Field(ge=1, le=100_000)] = 100
    gold_rate: Share = 0.1
    repeats: Share = 0.0
    level: Level = 0.95
    language: Language = "en"

    model_config = {
        "json_schema_extra": {"examples": [{"form": "pairwise", "half_width": 0.05, "systems": 2}]}
    }

    @model_validator(mode="after")
    def _a_scale(self) -> Self:
        check_scale(self.scale)
        return self


class SpreadOut(BaseModel):
    """What the numbers rest on: how much single votes vary, and which shares of that variance lie
    between items and between annotators. `of`: the criterion or label that varies most; `votes`:
    those of the pilot; `why`: why the spread is only assumed."""

    source: Literal["assumed", "pilot"]
    deviation: float
    of_items: float
    of_annotators: float
    of: str | None
    votes: int
    why: str | None


class StudyOut(BaseModel):
    """How many people and items an interval takes. `wanted`: the half-width that was asked for,
    `half_width`: the one to expect of each system; `items_each`: that each system is in; `gold`:
    questions with known answers that each person meets; `text`: the plan, in Markdown."""

    object: str = "study"
    form: Form
    measure: Measure
    level: float
    wanted: float
    half_width: float
    systems: int
    items: int
    items_each: int
    overlap: int
    votes: int
    annotators: int
    votes_each: int
    gold: int
    design_effect: float
    spread: SpreadOut
    text: str
