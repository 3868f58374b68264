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
