"""Rewards: what a framework asks and gets, and how they are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.http.fields import Schema, Text, storable_object
from trainers.job.options import Reward

Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Label = Text | list[Text | Whole | float] | Whole | float | None
End = Annotated[Text, Field(min_length=1, max_length=1000)]
StoredName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class RewardIn(BaseModel):
    """What OpenRLHF sends; other fields are not read."""

    model_config = ConfigDict(extra="ignore")

    query: Annotated[
        list[Text],
        Field(
            max_length=10_000,
            description="prompts with the outputs behind them; none: of several URLs, OpenRLHF "
            "asks the first alone",
        ),
    ]
    prompts: Annotated[
        list[Text] | None, Field(description="how each query begins; none: queries are outputs")
    ] = None
    labels: Annotated[
        list[Label] | None,
        Field(description='references: a text or number, several, or none: null, ""'),
    ] = None


class RewardsOut(BaseModel):
    """A number for each query."""

    rewards: list[float]
    scores: list[float]  # the same: OpenRLHF filters prompts by them
    extra_logs: dict[str, list[float]]  # all of the metrics' scores; 0 or what `missing` ones earn


class RewardTerms(Schema):
    """What an output earns: a weighted sum of metrics' values."""

    rewards: list[Annotated[Reward, BeforeValidator(storable_object)]] = Field(
        min_length=1, max_length=50, description="as `options.rewards` of a training job"
    )
    ends: list[End] = Field(
        default_factory=list,
        max_length=100,
        description="texts that an output ends at, as `<|im_end|>`",
    )


class StoredRewardIn(RewardTerms):
    """A reward to be asked for at `/get_reward/{name}`; the one called `default` at `/get_reward`,
    too."""

    name: StoredName


class StoredRewardOut(RewardTerms):
    """A stored reward."""

    name: str
    object: str = "reward"
    created_at: datetime


class DeletedRewardOut(BaseModel):
    """A reward that is stored no more."""

    name: str
    deleted: bool = True
