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


class HeldEstimate(Answer):
    """A value with its interval over samples; None where there is none."""

    value: float | None
    interval: tuple[float, float] | None


class ModelAgreement(Answer):
    """How far a model agrees with people by a criterion, and people with each other on the same
    `items`; `difference`, of ratings: by how much the model's are above theirs."""

    criterion: str
    items: int
    agreement: HeldEstimate
    alpha: HeldEstimate
    people_agreement: HeldEstimate
    people_alpha: HeldEstimate
    difference: HeldEstimate | None


class CorrectedScore(Answer):
    """A system's mean by people, with the model's help (`value`), beside that of each alone;
    `reason`: why it is None."""

    score: str
    system: str
    model: float
    people: float | None
    value: float | None
    interval: tuple[float, float] | None
    n: int
    rated: int
    reason: str | None


class HeldModel(Answer):
    """A language model that annotates the project, held to its people."""

    annotator: str
    name: str
    hash: str
    model: str
    status: str
    votes: int
    criteria: list[ModelAgreement]
    corrected: list[CorrectedScore]


class HeldToPeople(Answer):
    """Metrics beside people, the best first, and the models that annotate the project."""

    id: str
    slice: str | None
    level: float
    votes: int
    criteria: list[HeldCriterion]
    models: list[HeldModel]
    left_out: dict[str, str]
