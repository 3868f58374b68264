"""Calibrations that are let in: ratings and values are there, the function is fitted, stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from inference.errors import InputError
from metrics.calibrated import METRIC
from metrics.core.rows import Floats
from metrics.statistics.correlation import correlations
from metrics.statistics.regression import (
    FITS,
    Method,
    fold_of,
    mean_out_of_fold,
    out_of_fold,
    root_mean_square,
)
from metrics.statistics.weights import unit_keys
from service.calibrations import store
from service.calibrations.schemas import CalibrationIn
from service.catalogue.calibrated import Calibration
from service.datasets import store as datasets
from service.errors import invalid
from service.evaluations import ratings
from service.evaluations.scores import Score, read_scores
from service.evaluations.store import Evaluation
from service.leaderboards import scopes
from service.leaderboards.paired import PairedResult, paired_results, without_rows
from service.leaderboards.pairing import score_named
from service.settings import Settings

LEAST_RATED, FEW_RATED, MOST_RATED = 20, 50, 100_000  # samples
LITTLE = "{} rated samples are few: 50 to 200 are a good start"
NO_USE = (
    "on samples that it was not fitted to, the function errs by as much as the ratings' mean does: "
    "the score says nothing of these ratings"
)
AGAINST = "ratings fall as {} gets better: is `higher_is_better` of the ratings as it is meant?"


@dataclass(frozen=True, slots=True)
class Rated:
    """Samples that have a value and a rating, (n,) each; `names`: what they belong together by."""

    values: Floats
    ratings: Floats
    names: Sequence[str]


def admit(db: Connection, settings: Settings, body: CalibrationIn) -> tuple[Calibration, bool]:
    """The calibration, and whether this version is new. Raises 422 where there is nothing to fit:
    no such score or field, too few samples with both, all alike, a metric of sets."""
    row = scopes.finished(db, body.evaluation, "evaluation")
    score = score_named(read_scores(db, [row.id])[row.id], body.score, "score")
    (result,) = paired_results(db, settings, [score])
    if result is None:
        raise invalid("no_rows", without_rows(score), "score")
    rated = _rated(db, row, result, body)
    return store.put(db, body.name, _content(row, score, result, rated, body))


def _rated(db: Connection, row: Evaluation, result: PairedResult, body: CalibrationIn) -> Rated:
    given = ratings.require(db, row, body.ratings, "ratings")
    if result.result.per_sample is None:
        message = f"{result.metric.name} is of a set: no sample has a value to fit"
        raise invalid("no_sample_values", message, "score")
    values = result.result.per_sample[:, result.index]
    both = np.flatnonzero(np.isfinite(values) & np.isfinite(given))
    if not LEAST_RATED <= len(both) <= MOST_RATED:
        message = f"{len(both)} samples have both a value and a rating {body.ratings!r}: "
        raise invalid("too_few_ratings", f"{message}{LEAST_RATED} to {MOST_RATED} do", "ratings")
    for what, numbers, param in (("values", values, "score"), ("ratings", given, "ratings")):
        if np.ptp(numbers[both]) == 0.0:
            message = f"all {len(both)} {what} are {numbers[both][0]:g}: nothing can be fitted"
            raise invalid("all_alike", message, param)
    names = result.ids
    if row.cluster is not None:
        names = datasets.read_clusters(db, row.dataset_id, row.cluster)
    return Rated(values[both], given[both], [names[at] for at in both.tolist()])


def _content(
    row: Evaluation, score: Score, result: PairedResult, rated: Rated, body: CalibrationIn
) -> dict[str, Any]:
    """What is stored: see `CalibrationOut`."""
    x, y, folds = rated.values, rated.ratings, fold_of(rated.names)
    predicted = {method: out_of_fold(method, x, y, folds) for method in FITS}
    errors = {name: root_mean_square(found - y) for name, found in predicted.items()}
    best: Method = "isotonic" if errors["isotonic"] < errors["linear"] else "linear"
    method: Method = best if body.method == "auto" else body.method
    everybody = root_mean_square(mean_out_of_fold(y, folds) - y)
    groups = unit_keys(rated.names).astype(np.int64) if row.cluster is not None else None

    def agreement(values: Floats) -> Mapping[str, Any]:
        found = correlations(values, y, groups, row.level)
        return {name: asdict(one) for name, one in found.items()}

    before = agreement(x)
    return {
        "evaluation": row.id,
        "metric": score.metric,
        "score": score.name,
        "signature": score.signature or "",
        "ratings": body.ratings,
        "method": method,
        "n": len(x),
        "clusters": len(set(rated.names)) if row.cluster is not None else None,
        "folds": len(np.unique(folds)),
        "level": row.level,
        "before": before,
        "after": agreement(predicted[method]),
        "errors": {**errors, "mean": everybody},
        "params": _params(result, score, method, rated, body.higher_is_better),
        "warnings": _warnings(score, before, rated, errors[method] >= everybody, body),
    }


def _params(
    result: PairedResult, score: Score, method: Method, rated: Rated, higher_is_better: bool
) -> dict[str, Any]:
    """Of the metric `calibrated`, but for the name. Raises 422 for a metric that cannot be."""
    given = {
        "metric": result.metric.name,
        "params": result.metric.dump(),
        "score": score.name,
        "function": {
            "method": method,
            "knots": FITS[method](rated.values, rated.ratings).tolist(),
        },
        "higher_is_better": higher_is_better,
    }
    try:
        params = METRIC.bind(given).dump()
    except InputError as error:
        raise invalid("not_calibrated", error.message, "score") from None
    return {name: value for name, value in params.items() if name != "calibration"}


def _warnings(
    score: Score, before: Mapping[str, Any], rated: Rated, useless: bool, body: CalibrationIn
) -> list[str]:
    said = [LITTLE.format(len(rated.values))] if len(rated.values) < FEW_RATED else []
    if useless:
        return [*said, NO_USE]
    rises = (before["spearman"]["value"] or 0.0) > 0
    if rises != (score.higher_is_better == body.higher_is_better):
        said.append(AGAINST.format(score.name))
    return said
