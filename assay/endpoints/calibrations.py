"""Calibrations: a metric's score on the scale of people's ratings."""

from __future__ import annotations

from assay.calibration_models import Calibration
from assay.exchange import Script, ask, create, get
from assay.models import Page
from assay.streams import Listing

ROOT = "/v1/calibrations"


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
