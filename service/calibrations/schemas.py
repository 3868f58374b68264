"""Calibrations, as they are asked for and shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from service.http.fields import Name, PlainName, Schema

Method = Literal["isotonic", "linear"]


class CalibrationIn(Schema):
    """People's ratings of some of an evaluation's samples, and the score that is fitted to them.
    The same name with other content makes a new version."""

    name: PlainName
    evaluation: Name = Field(description="one that has succeeded, with values of samples")
    score: Name = Field(description="as chrf; or a metric's name, with one score")
    ratings: Name = Field(description="the field of the samples' metadata that holds them")
    method: Literal["isotonic", "linear", "auto"] = Field(
        "auto",
        description="auto: whichever errs less on samples that it was not fitted to; where they "
        "err alike, the line",
    )
    higher_is_better: bool = Field(True, description="of the ratings")

    model_config = {
        "json_schema_extra": {
            "examples": [
                {"name": "adequacy", "evaluation": "eval_a", "score": "chrf", "ratings": "grade"}
            ]
        }
    }


class CoefficientOut(BaseModel):
    """A correlation with its interval; null where it is not defined: of numbers all alike."""

    value: float | None
    interval: tuple[float, float] | None


class AgreementWithPeople(BaseModel):
    """How far a score's values of samples agree with people's ratings; `kendall` is tau-b."""

    pearson: CoefficientOut
    spearman: CoefficientOut
    kendall: CoefficientOut


class FitErrorsOut(BaseModel):
    """Root mean squared errors, in the unit of the ratings, on samples that were not fitted to;
    `mean`: of the ratings' mean, which knows nothing of the score."""

    isotonic: float
    linear: float
    mean: float


class CalibrationOut(BaseModel):
    """A version of a calibration.

    `before`: the score as it is, with the sign that it has. `after`: each sample's value by the
    function that was fitted without it, in `folds` parts; over clusters where the evaluation has
    some. `params` are those of the metric `calibrated`; `{"calibration": "name@version"}` stands
    for all of them. `metric` and `score` are what was fitted, with the `signature` of its values.
    """

    id: str
    object: str = "calibration"
    name: str
    version: int
    evaluation: str
    metric: str
    score: str
    signature: str
    ratings: str
    method: Method
    n: int
    clusters: int | None
    folds: int
    level: float
    before: AgreementWithPeople
    after: AgreementWithPeople
    errors: FitErrorsOut
    params: dict[str, Any]
    warnings: list[str]
    created_at: datetime
