"""Boards that users define, as they are asked for and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.http.fields import DatasetName, Name, Schema

Aggregated = Literal["mean", "mean_rank", "win_rate", "z"]


class BoardPartIn(Schema):
    """A score on a dataset, or on a slice of it."""

    dataset: Name = Field(description="a name (its latest version), name@version or ds_…")
    score: Name = Field(description="a score's name, as rougeL")
    slice: Name | None = Field(None, description="as lang=ru: over those samples alone")
    weight: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = Field(
        1.0, description="against the other parts' weights"
    )


class DefinedBoardIn(Schema):
    """A board over several datasets and scores."""

    name: DatasetName
    parts: Annotated[list[BoardPartIn], Field(min_length=1, max_length=50)]
    aggregate: Aggregated = Field(
        "mean",
        description="mean: of the values, on one scale. z: of the values in standard deviations "
        "between the systems. mean_rank: of the ranks, 1 the best. win_rate: the share of the "
        "other systems that are beaten, equal ones by half",
    )
    allow_unlike_scales: bool = Field(
        False,
        description="take the mean of scores whose ranges differ, as they are; those of which "
        "lower is better count negatively where others have it otherwise",
    )

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "name": "writing",
                    "parts": [
                        {"dataset": "news", "score": "chrf"},
                        {"dataset": "letters", "score": "rougeL", "weight": 2},
                    ],
                    "aggregate": "z",
                }
            ]
        }
    }


class BoardDefinition(BaseModel):
    """A board as it was defined."""

    object: str = "board_definition"
    name: str
    parts: list[BoardPartIn]
    aggregate: Aggregated
    allow_unlike_scales: bool = False
    created_at: datetime


class BoardDefinitions(BaseModel):
    """Which boards have been defined."""

    object: str = "list"
    data: list[BoardDefinition]


class BoardPart(BaseModel):
    """A part of a board as it is now: the dataset's version, the signature that most systems have,
    and how many systems have a value."""

    dataset: str
    version: int
    dataset_id: str
    score: str
    slice: str | None
    weight: float  # all sum to 1
    higher_is_better: bool
    judged: bool = True  # false: neither is better, and `higher_is_better` only orders lists
    signature: str
    cluster: str | None
    systems: int


class PartValue(BaseModel):
    """What a system has in a part: its newest evaluation there, and its place among the systems of
    the whole board."""

    dataset: str
    score: str
    slice: str | None
    evaluation: str
    value: float
    interval: tuple[float, float] | None
    rank: int
    n: int
    incomplete: int  # samples without a value on which another system has one


class DefinedRow(BaseModel):
    """A system with a value in every part, which stand in `parts` in the board's order.

    `rank_interval`: the ranks that the tests of all pairs leave open at 5%, corrected over all of
    them; `tie_band`, `p_first` as on other boards. `p_vs_next`: null for mean_rank and win_rate,
    which tell apart by intervals that do not touch."""

    rank: int
    rank_interval: tuple[int, int]
    system: str
    value: float
    interval: tuple[float, float] | None
    p_vs_next: float | None
    tie_band: int
    p_first: float | None
    incomplete: int = 0
    parts: list[PartValue]
    notes: list[str] = Field(default_factory=list)


class WithoutPart(BaseModel):
    """A system that is not on the board, and why."""

    system: str
    reason: str


class DefinedBoard(BaseModel):
    """Systems by several scores together, each resampled within its own dataset."""

    object: str = "board"
    name: str
    aggregate: Aggregated
    higher_is_better: bool
    judged: bool = True  # false: a mean of scores of which neither high nor low is better
    parts: list[BoardPart]
    tests: str | None
    warnings: list[str] = Field(default_factory=list)
    at: datetime | None = None  # shown as it stood then
    computed_at: datetime
    size: int
    rows: list[DefinedRow]
    left_out: list[WithoutPart]


class DeletedBoard(BaseModel):
    """What is no more."""

    object: str = "board"
    name: str
    deleted: bool = True


class FrontScore(BaseModel):
    """A score of a front, with the direction that was asked for."""

    score: str
    higher_is_better: bool
    signature: str


class FrontRow(BaseModel):
    """A system made in one way. `on_front`: nobody is at least as good by every score and better by
    one; `beaten_by` those who are, up to ten. `share`: of the replicates in which it is on the
    front; null where its rows are not stored any more."""

    system: str
    protocol: str
    on_front: bool
    share: float | None
    beaten_by: list[str]
    values: dict[str, float]
    intervals: dict[str, tuple[float, float] | None]
    evaluations: dict[str, str]


class Front(BaseModel):
    """Systems on one dataset version by several scores, those on the front first."""

    object: str = "pareto_front"
    dataset: str
    version: int
    dataset_id: str
    slice: str | None
    scores: list[FrontScore]
    warnings: list[str] = Field(default_factory=list)
    rows: list[FrontRow]
    left_out: list[WithoutPart]
