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


class HeldEstimateOut(BaseModel):
    """A value with its interval over samples; null where there is none."""

    value: float | None
    interval: tuple[float, float] | None


class ModelAgreementOut(BaseModel):
    """By a criterion (of pairwise the choice, of best_worst the best and the worst), over `items`
    that the model and people have both judged.

    agreement         share of people's votes on an item that say what the model says
    alpha             the same beyond chance (Krippendorff)
    people_agreement  share of pairs of votes on an item that say the same; people_alpha: likewise
    difference        of ratings: by how much the model's are above people's
    """

    criterion: str
    items: int
    agreement: HeldEstimateOut
    alpha: HeldEstimateOut
    people_agreement: HeldEstimateOut
    people_alpha: HeldEstimateOut
    difference: HeldEstimateOut | None


class CorrectedScoreOut(BaseModel):
    """A system's mean by people, with the model's help (PPI++): `value` and `interval`. `model` and
    `people`: their own means; `n`: samples that the model judged, `rated`: people, too. `reason`:
    why the value is null."""

    score: str
    system: str
    model: float
    people: float | None
    value: float | None
    interval: tuple[float, float] | None
    n: int
    rated: int
    reason: str | None


class HeldModelOut(BaseModel):
    """A language model that annotates the project, held to its people."""

    annotator: str
    name: str
    hash: str
    model: str
    status: str
    votes: int
    criteria: list[ModelAgreementOut]
    corrected: list[CorrectedScoreOut]


class HeldToPeopleOut(BaseModel):
    """Metrics beside people, the best first, and the models that annotate the project. `left_out`:
    scores that cannot be held to votes."""

    id: str
    object: str = "held_to_people"
    slice: str | None
    level: float
    votes: int
    criteria: list[HeldCriterionOut]
    models: list[HeldModelOut]
    left_out: dict[str, str]
