"""POST /v1/comparisons: is the difference between two systems real?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from metrics.core.compare import Comparison, Test, Testing
from metrics.core.signature import difference
from metrics.statistics.ranking import holm
from service.datasets import store as datasets
from service.errors import ApiError, invalid
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.http.dependencies import CurrentSettings, Transaction
from service.http.fields import Name, Schema
from service.leaderboards.paired import paired_result, tested
from service.settings import Settings

router = APIRouter(prefix="/v1/comparisons", tags=["comparisons"])


class ComparisonIn(Schema):
    """Two finished evaluations; `metrics` may name metrics or single scores (default: all)."""

    evaluations: Annotated[list[Name], Field(min_length=2, max_length=2)]
    metrics: list[Name] | None = None
    test: Test = "paired_bootstrap"
    recipe: Literal["centred", "sacrebleu"] = "centred"
    correction: Literal["holm", "none"] = "holm"
    trials: Annotated[int, Field(ge=100, le=100_000)] = 10_000

    model_config = {
        "json_schema_extra": {
            "examples": [{"evaluations": ["eval_a", "eval_b"], "metrics": ["bleu"]}]
        }
    }


class ResultOut(BaseModel):
    """`difference` is a - b with its interval; `p_corrected` is over all results shown here."""

    metric: str
    name: str
    a: float | None
    b: float | None
    difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    p_corrected: float | None
    significant: bool | None  # at 5%, corrected
    n: int
    test: str
    higher_is_better: bool
    signature: str
    error: str | None = None


class ComparisonOut(BaseModel):
    object: str = "comparison"
    a: str
    b: str
    system_a: str
    system_b: str
    test: str
    recipe: str
    correction: str
    results: list[ResultOut]


@router.post("", summary="Compare two evaluations")
def create_comparison(
    body: ComparisonIn, db: Transaction, settings: CurrentSettings
) -> ComparisonOut:
    """Paired by sample id, over datasets in which an id means the same sample. Scores whose
    signatures differ are not compared: `error` says how they differ."""
    rows = [_finished(db, one, f"evaluations[{at}]") for at, one in enumerate(body.evaluations)]
    _same_samples(db, *rows)
    scores = results.read_scores(db, body.evaluations)
    pairs = _pairs(scores[body.evaluations[0]], scores[body.evaluations[1]], body.metrics)
    shown = [_result(db, settings, body, left, right) for left, right in pairs]
    _correct(shown, body.correction)
    return ComparisonOut(
        a=rows[0].id,
        b=rows[1].id,
        system_a=rows[0].system,
        system_b=rows[1].system,
        test=body.test,
        recipe=body.recipe,
        correction=body.correction,
        results=shown,
    )


def _finished(db: Connection, evaluation: str, param: str) -> Any:
    row = evaluations.get(db, evaluation)
    if row is None:
        raise ApiError(404, "evaluation_not_found", f"there is no evaluation {evaluation!r}", param)
    if row.status != "succeeded":
        message = f"{evaluation} is {row.status}: only succeeded evaluations can be compared"
        raise ApiError(409, "not_finished", message, param)
    return row


def _same_samples(db: Connection, a: Any, b: Any) -> None:
    """Raises 422 when an id names one sample in the one dataset and another in the other."""
    if a.dataset_id == b.dataset_id:
        return
    record = datasets.differing(db, a.dataset_id, b.dataset_id)
    if record is not None:
        message = (
            f"the evaluations are on {_named(a)} and {_named(b)}, in which the sample {record!r} "
            "is not the same: a difference between the systems could not be told from one "
            "between the datasets"
        )
        raise invalid("different_samples", message, "evaluations")


def _named(row: Any) -> str:
    return f"{row.dataset_name}@{row.dataset_version}"


def _pairs(left: list[Any], right: list[Any], names: list[str] | None) -> list[tuple[Any, Any]]:
    """Scores of the same name in both, whole sets only; of several, that of the same signature."""
    theirs: dict[str, Any] = {}
    exactly: dict[tuple[str, str | None], Any] = {}
    for score in right:
        if not score.slice:
            theirs.setdefault(score.name, score)
            exactly.setdefault((score.name, score.signature), score)
    found = [
        (score, exactly.get((score.name, score.signature), theirs[score.name]))
        for score in left
        if not score.slice
        and score.name in theirs
        and (names is None or score.name in names or score.metric in names)
    ]
    for name in names or []:
        if not any(name in {score.name, score.metric} for score, _ in found):
            there = ", ".join(sorted({score.name for score in left} & set(theirs))) or "nothing"
            message = f"{name!r} is not a score of both; both have {there}"
            raise invalid("unknown_score", message, "metrics")
    if not found:
        raise invalid("nothing_in_common", "the evaluations share no score", "evaluations")
    return found


def _result(
    db: Connection, settings: Settings, body: ComparisonIn, left: Any, right: Any
) -> ResultOut:
    shown = ResultOut(
        metric=left.metric,
        name=left.name,
        a=left.value,
        b=right.value,
        difference=None,
        interval=None,
        p_value=None,
        p_corrected=None,
        significant=None,
        n=0,
        test=body.test,
        higher_is_better=left.higher_is_better,
        signature=left.signature or "",
    )
    if left.value is None or right.value is None:
        shown.error = "one of the two has no value"
        return shown
    if left.signature != right.signature:
        parts = "; ".join(difference(left.signature, right.signature))
        shown.error = f"the signatures differ, so the values cannot be compared: {parts}"
        return shown
    a, b = paired_result(db, settings, left), paired_result(db, settings, right)
    if a is None or b is None:
        shown.error = "the rows behind the values are gone"
        return shown
    testing = Testing(body.test, body.recipe, trials=body.trials)
    return _filled(shown, tested(a, b, testing))


def _filled(shown: ResultOut, found: Comparison) -> ResultOut:
    shown.error = found.error
    one = found.difference
    if one is not None:
        shown.a, shown.b = found.a, found.b  # over the units that both have
        shown.difference = one.value
        shown.interval = one.interval
        shown.p_value = one.p_value if np.isfinite(one.p_value) else None
        shown.n = one.units
        shown.test = one.test
    return shown


def _correct(results: list[ResultOut], correction: str) -> None:
    tested = [one for one in results if one.p_value is not None]
    p_values = np.array([one.p_value for one in tested], np.float64)
    corrected = holm(p_values) if correction == "holm" else p_values
    for one, p_value in zip(tested, corrected.tolist(), strict=True):
        one.p_corrected = p_value
        one.significant = p_value <= 0.05
