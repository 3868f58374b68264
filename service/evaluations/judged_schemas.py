"""What judges said, and what they are biased by, as it is shown."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class JudgeAnswerOut(BaseModel):
    """One answer of a judge: the value read in it, or why there is none."""

    said: str
    value: float | None
    missing: Literal["unreadable", "refused", "no answer"] | None
    reason: str | None
    repaired: bool = Field(description="it could not be read at first, and was asked for again")


class JudgeCallOut(BaseModel):
    """One question to a judge; long texts are cut."""

    judge: str
    criterion: str | None
    order: Literal["given", "swapped"] | None = Field(
        description="of pairwise: whether the output stood first or second"
    )
    asked: str
    likelihoods: dict[str, float] | None
    answers: list[JudgeAnswerOut]


class JudgedOut(BaseModel):
    """What a judge was asked about each of a sample's outputs."""

    metric: str
    position: int
    outputs: list[list[JudgeCallOut]]


class TranscriptOut(BaseModel):
    """What the judges were asked and said about a sample; none while it is not judged."""

    id: str
    judges: list[JudgedOut]


class BiasOut(BaseModel):
    """A bias with its interval, over so many samples."""

    value: float
    interval: tuple[float, float]
    n: int


class JudgeOut(BaseModel):
    """A judge and what it is biased by; null where nothing can be said.

    position         by how much what stands first wins more often than half (pairwise)
    order_flips      share of comparisons with another winner in the other order (pairwise)
    length           by how much the value rises where an output is twice as long
    length_beyond_people  the same, less people's ratings
    self_preference  what it gives its own model's outputs beyond what it gives others', each less
                     what `self_preference_against` gives: people, the rest of the panel, or nothing
                     (then a difference in quality is in it)
    """

    metric_position: int
    model: str
    outputs: int
    missing: int
    position: BiasOut | None
    order_flips: BiasOut | None
    length: BiasOut | None
    length_beyond_people: BiasOut | None
    self_preference: BiasOut | None
    self_preference_against: Literal["people", "panel", "nothing"]


class AgreementOut(BaseModel):
    """Krippendorff's alpha of a panel (interval scale): 1 all agree, 0 as by chance."""

    metric_position: int
    criterion: str | None
    alpha: float | None
    interval: tuple[float, float] | None
    n: int


class JudgeReportOut(BaseModel):
    """What an evaluation's judges are biased by, and how far those of a panel agree."""

    object: str = "judge_report"
    evaluation: str
    level: float
    judges: list[JudgeOut]
    agreement: list[AgreementOut]
