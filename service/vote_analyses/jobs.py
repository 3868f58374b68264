"""vote_analysis.compute: what many votes say, and the label model of them; answers who waits."""

from __future__ import annotations

from service.annotation import store as projects
from service.db import worker_requests
from service.jobs.context import Context
from service.vote_analyses import store
from service.vote_analyses.computed import COMPUTED, Asked


def compute(context: Context, request: str) -> None:
    """Compute it of the votes that stand now."""
    with context.engine.begin() as db:
        asked = worker_requests.read(db, request)
        project = projects.get(db, asked["project"]) if asked is not None else None
        if asked is None:
            return
        if project is None:
            worker_requests.answer(db, request, {"found": None})
            return
        state, rows = store.state(db, project.id), store.read(db, project.id)
    of = Asked(project, state, asked["criterion"], frozenset(asked["exclude"]))
    found = COMPUTED[asked["what"]](of, rows)
    with context.engine.begin() as db:
        worker_requests.answer(db, request, {"found": found.model_dump(mode="json")})


def compute_failed(context: Context, request: str, reason: str) -> None:
    """Tell the one who waits."""
    with context.engine.begin() as db:
        worker_requests.refuse(db, request, "analysis_failed", reason)
