"""Answers on people's votes as scores, and metrics beside people."""

from __future__ import annotations

from pydantic import Field

from assay.models import Answer, Score


class PublishedSystem(Answer):
    """What people said of a system, in its evaluation."""

    system: str
    evaluation: str
    scores: list[Score] = Field(default_factory=list)
    slices: list[Score] = Field(default_factory=list)


class PublishedScores(Answer):
    """A project's scores; `votes` that they are made of."""

    id: str
    votes: int
    systems: list[PublishedSystem]


class OrderAgreement(Answer):
    """The share of votes that order two outputs alike, over `n` samples; None where there is
    none."""

    value: float | None
    interval: tuple[float, float] | None
    n: int


class HeldMetric(Answer):
    """A score held to people's order of outputs; `judge`: a language model that grades."""

    metric: str
    name: str
    judge: bool
    agreement: OrderAgreement


class HeldCriterion(Answer):
    """One of a project's scores: how far people agree on it, and every metric with them."""

    score: str
    people: OrderAgreement
    metrics: list[HeldMetric]


class HeldToPeople(Answer):
    """Metrics beside people, the best first."""

    id: str
    slice: str | None
    level: float
    votes: int
    criteria: list[HeldCriterion]
    left_out: dict[str, str]
