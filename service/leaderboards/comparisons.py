"""POST /v1/comparisons: is the difference between two systems real?"""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter
from sqlalchemy import Connection

from metrics.core.compare import Comparison, Testing
from metrics.core.signature import difference
from metrics.statistics.ranking import holm
from service.datasets import store as datasets
from service.errors import ApiError, invalid
from service.evaluations import store as evaluations
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Transaction
from service.http.formats import TABLES, in_forms
from service.leaderboards.history import differing
from service.leaderboards.paired import ALPHA, PairedResult, only, paired_results, tested
from service.leaderboards.schemas import ComparisonIn, ComparisonOut, ResultOut
from service.leaderboards.tables import comparison_table

WITHHELD = (
    "{} has no value on {} samples on which {} has one, and may be better only for that: no verdict"
)

router = APIRouter(prefix="/v1/comparisons", tags=["comparisons"], route_class=BodyRoute)


@router.post("", summary="Compare two evaluations", responses=TABLES)
@in_forms(comparison_table)
def create_comparison(
    body: ComparisonIn, db: Transaction, settings: CurrentSettings
) -> ComparisonOut:
    """Paired by sample id, over datasets in which an id means the same sample. Scores whose
    signatures differ are not compared: `error` says how they differ."""
    rows = [_finished(db, one, f"evaluations[{at}]") for at, one in enumerate(body.evaluations)]
    _same_samples(db, *rows)
    scores = read_scores(db, body.evaluations)
    pairs = _pairs(scores[body.evaluations[0]], scores[body.evaluations[1]], body.metrics)
    paired = paired_results(db, settings, [score for pair in pairs for score in pair])
    shown = [
        _result(body, left, right, paired[2 * at], paired[2 * at + 1])
        for at, (left, right) in enumerate(pairs)
    ]
    _correct(shown, body.correction)
    return ComparisonOut(
        a=rows[0].id,
        b=rows[1].id,
        system_a=rows[0].system,
        system_b=rows[1].system,
        test=body.test,
        recipe=body.recipe,
        correction=body.correction,
        differs=differing(*rows),
        results=shown,
    )


def _finished(db: Connection, evaluation: str, param: str) -> Evaluation:
    row = evaluations.get(db, evaluation)
    if row is None:
        raise ApiError(404, "evaluation_not_found", f"there is no evaluation {evaluation!r}", param)
    if row.status != "succeeded":
        message = f"{evaluation} is {row.status}: only succeeded evaluations can be compared"
        raise ApiError(409, "not_finished", message, param)
    return row


def _same_samples(db: Connection, a: Evaluation, b: Evaluation) -> None:
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


def _named(row: Evaluation) -> str:
    return f"{row.dataset_name}@{row.dataset_version}"


def _pairs(
    left: list[Score], right: list[Score], names: list[str] | None
) -> list[tuple[Score, Score]]:
    """Scores of the same name in both, whole sets only; of several, that of the same signature."""
    theirs: dict[str, Score] = {}
    exactly: dict[tuple[str, str | None], Score] = {}
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
    body: ComparisonIn,
    left: Score,
    right: Score,
    a: PairedResult | None,
    b: PairedResult | None,
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
        parts = "; ".join(difference(left.signature or "", right.signature or ""))
        shown.error = f"the signatures differ, so the values cannot be compared: {parts}"
        return shown
    if a is None or b is None:
        shown.error = "the rows behind the values are gone"
        return shown
    testing = Testing(body.test, body.recipe, trials=body.trials)
    shown.only_a, shown.only_b = only(a, b), only(b, a)
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
    with_p = [one for one in results if one.p_value is not None]
    p_values = np.array([one.p_value for one in with_p], np.float64)
    corrected = holm(p_values) if correction == "holm" else p_values
    for one, p_value in zip(with_p, corrected.tolist(), strict=True):
        one.p_corrected = p_value
        one.significant = p_value <= ALPHA
        one.note = _withheld(one)
        if one.note is not None:
            one.significant = None


def _withheld(one: ResultOut) -> str | None:
    """Why the better of the two is not called better: it lacks samples that the other has."""
    ahead = (one.difference or 0.0) * (1 if one.higher_is_better else -1)
    if ahead > 0 and one.only_b:
        return WITHHELD.format("a", one.only_b, "b")
    if ahead < 0 and one.only_a:
        return WITHHELD.format("b", one.only_a, "a")
    return None
