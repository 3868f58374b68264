"""Calibrations: a metric's score on the scale of people's ratings; which metrics agree with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.calibration_models import Calibration, MetaEvaluation
from assay.exchange import Script, ask, create, get, post, waited
from assay.models import Page
from assay.streams import Listing

ROOT = "/v1/calibrations"
COMPUTED = 120.0  # seconds, after which the service answers that nobody did


def create_calibration(
    name: str,
    evaluation: str,
    score: str,
    *,
    ratings: str,
    method: str = "auto",
    higher_is_better: bool = True,
    idempotency_key: str | None = None,
) -> Script[Calibration]:
    """Fit a score to people's ratings; the same name with other content makes a new version.

    Args:
        score: as chrf.
        ratings: the field of the samples' metadata that holds them.
        method: isotonic, linear, or auto: whichever errs less on samples it was not fitted to.
        higher_is_better: of the ratings.
    """
    body = {
        "name": name,
        "evaluation": evaluation,
        "score": score,
        "ratings": ratings,
        "method": method,
        "higher_is_better": higher_is_better,
    }
    return ask(create(ROOT, body, idempotency_key), Calibration)


def calibration(calibration: str) -> Script[Calibration]:
    """A calibration's newest version, or that of `name@version`."""
    return ask(get(ROOT, calibration), Calibration)


def calibrations(*, order: str = "desc", limit: int | None = None) -> Listing[Calibration]:
    """The newest version of every calibration, newest first."""
    return Listing(Page[Calibration], ROOT, query={"order": order}, limit=limit)


def meta_evaluate(
    evaluations: Sequence[str],
    ratings: str | Mapping[str, str],
    *,
    metrics: Sequence[str] | None = None,
    correction: str | None = None,
    permutations: int | None = None,
    seed: int | None = None,
    wait: float = 0.0,
) -> Script[MetaEvaluation]:
    """Which scores agree with people's ratings of systems on one dataset, as WMT judges metrics.

    Args:
        evaluations: of the systems.
        ratings: the field of the samples' metadata that holds them, or a field for each
            evaluation, by its id or its system's name.
        metrics: scores, as chrf; default: all that the evaluations share.
        correction: holm, bh or none, of all tests together.
        permutations: of each test.
        wait: seconds to wait; default: two minutes.
    """
    fields = {
        "evaluations": list(evaluations),
        "ratings": ratings if isinstance(ratings, str) else dict(ratings),
        "metrics": None if metrics is None else list(metrics),
        "correction": correction,
        "permutations": permutations,
        "seed": seed,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    request = post("/v1/meta_evaluations", body=body, patience=COMPUTED)
    return ask(waited(request, wait), MetaEvaluation)
