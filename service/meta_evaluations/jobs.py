"""meta.compute: scores held to people's ratings, for whoever waits."""

from __future__ import annotations

from service.db import worker_requests
from service.errors import ApiError
from service.jobs.context import Context
from service.meta_evaluations.findings import findings
from service.meta_evaluations.gathering import gathered
from service.meta_evaluations.schemas import MetaEvaluationIn


def compute(context: Context, request: str) -> None:
    """Compute what is asked for, and answer."""
    with context.engine.begin() as db:
        body = worker_requests.read(db, request)
        if body is None:
            return
        asked = MetaEvaluationIn.model_validate(body)
        try:
            given = gathered(db, context.settings, asked)
        except ApiError as error:  # what was there when it was asked for is gone
            worker_requests.refuse(db, request, error.code, error.message)
            return
    found = findings(given, asked, context.advance)
    with context.engine.begin() as db:
        worker_requests.answer(db, request, found)


def compute_failed(context: Context, request: str, reason: str) -> None:
    """Tell the one who waits."""
    with context.engine.begin() as db:
        worker_requests.refuse(db, request, "meta_evaluation_failed", reason)
