"""A project's scores, and metrics beside people, as they are shown."""

from __future__ import annotations

from pydantic import BaseModel

from service.evaluations.schemas import ScoreOut


class PublishedSystemOut(BaseModel):
    """What people said of a system, in its evaluation; `slices` as the evaluation has them."""

    system: str
    evaluation: str
    scores: list[ScoreOut]
    slices: list[ScoreOut]


class PublishedScoresOut(BaseModel):
    """A project's scores, of the whole set. `votes`: that they are made of, without gold questions,
    controls and repeats."""

    id: str
    object: str = "published_scores"
    votes: int
    systems: list[PublishedSystemOut]


class OrderAgreementOut(BaseModel):
    """The share of votes that put two outputs of a sample in the same order, ties of the metric by
    half, with its interval over samples; null where there is none. `n`: samples."""

    value: float | None
    interval: tuple[float, float] | None
    n: int


class HeldMetricOut(BaseModel):
    """A score of the evaluations, held to people's order of their outputs. `judge`: a language
    model that grades."""

    metric: str
    name: str
    judge: bool
    agreement: OrderAgreementOut


class HeldCriterionOut(BaseModel):
    """One of the project's scores. `people`: how often two votes on the same two outputs agree, to
    hold the metrics' agreement against; null where nobody was asked the same."""

    score: str
    people: OrderAgreementOut
    metrics: list[HeldMetricOut]


class HeldToPeopleOut(BaseModel):
    """Metrics beside people; the best first. `left_out`: scores that cannot be held to votes."""

    id: str
    object: str = "held_to_people"
    slice: str | None
    level: float
    votes: int
    criteria: list[HeldCriterionOut]
    left_out: dict[str, str]
