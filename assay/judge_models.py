"""What judges said, and what they are biased by."""

from __future__ import annotations

from assay.models import Answer


class JudgeAnswer(Answer):
    """One answer of a judge: the value read in it, or why there is none."""

    said: str
    value: float | None
    missing: str | None
    reason: str | None
    repaired: bool


class JudgeCall(Answer):
    """One question to a judge; of `pairwise`, `order` is "given" or "swapped"."""

    judge: str
    criterion: str | None
    order: str | None
    asked: str
    likelihoods: dict[str, float] | None
    answers: list[JudgeAnswer]


class Judged(Answer):
    """What a judge was asked about each of a sample's outputs."""

    metric: str
    position: int
    outputs: list[list[JudgeCall]]


class Transcript(Answer):
    """What the judges were asked and said about a sample."""

    id: str
    judges: list[Judged]


class Bias(Answer):
    """A bias with its interval, over `n` samples."""

    value: float
    interval: tuple[float, float]
    n: int


class Judge(Answer):
    """A judge and what it is biased by; None where nothing can be said."""

    metric_position: int
    model: str
    outputs: int
    missing: int
    position: Bias | None
    order_flips: Bias | None
    length: Bias | None
    length_beyond_people: Bias | None
    self_preference: Bias | None
    self_preference_against: str


class Agreement(Answer):
    """Krippendorff's alpha of a panel."""

    metric_position: int
    criterion: str | None
    alpha: float | None
    interval: tuple[float, float] | None
    n: int


class JudgeReport(Answer):
    """What an evaluation's judges are biased by, and how far those of a panel agree."""

    evaluation: str
    level: float
    judges: list[Judge]
    agreement: list[Agreement]
