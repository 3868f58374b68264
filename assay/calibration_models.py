"""Answers on calibrations, as frozen objects."""

from __future__ import annotations

from datetime import datetime

from assay.models import Answer, Json


class Coefficient(Answer):
    """A correlation with its interval; None where it is not defined."""

    value: float | None
    interval: tuple[float, float] | None


class AgreementWithPeople(Answer):
    """How far a score's values of samples agree with people's ratings; `kendall` is tau-b."""

    pearson: Coefficient
    spearman: Coefficient
    kendall: Coefficient


class FitErrors(Answer):
    """Root mean squared errors on samples that were not fitted to; `mean`: of the ratings' mean."""

    isotonic: float
    linear: float
    mean: float


class Calibration(Answer):
    """A score fitted to people's ratings: usable as the metric `calibrated`.

    `before` is of the score as it is, `after` of values by functions that were fitted without the
    sample. `params` are all of the metric's: `{"calibration": "name@version"}` stands for them.
    """

    id: str
    name: str
    version: int
    evaluation: str
    metric: str
    score: str
    signature: str
    ratings: str
    method: str
    n: int
    clusters: int | None
    folds: int
    level: float
    before: AgreementWithPeople
    after: AgreementWithPeople
    errors: FitErrors
    params: Json
    warnings: list[str]
    created_at: datetime | None = None


class MetaStatistic(Answer):
    """A number with its interval, over samples; None where it is not defined."""

    value: float | None
    interval: tuple[float, float] | None


class RatedSystem(Answer):
    """A system, with people's mean rating of its outputs."""

    evaluation: str
    system: str
    ratings: str
    rated: int
    mean: float


class MetaScore(Answer):
    """How far one score agrees with people, by outputs (`segment`) and by `system`; by statistic.

    `acc_eq` takes scores for tied up to `epsilon`.
    """

    name: str
    metric: str
    signature: str
    n: int
    segment: dict[str, MetaStatistic]
    epsilon: float | None
    system: dict[str, MetaStatistic]


class MetaTest(Answer):
    """Whether score `a` agrees better with people than `b` does."""

    a: str
    b: str
    level: str
    statistic: str
    difference: float | None
    p_value: float | None
    p_corrected: float | None
    significant: bool | None


class MetaEvaluation(Answer):
    """Scores held to people's ratings of several systems."""

    systems: list[RatedSystem]
    samples: int
    level: float
    correction: str
    permutations: int
    metrics: list[MetaScore]
    tests: list[MetaTest]
    notes: list[str]
