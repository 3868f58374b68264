"""GET /v1/annotation_projects/{id}/analysis: what people's votes say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import Query
from sqlalchemy import Connection

from metrics.core.names import hint
from service.annotation import store as projects
from service.annotation.store import Project
from service.db import worker_requests
from service.errors import invalid, not_found
from service.http.dependencies import CurrentGate, Patience
from service.http.gate import Gate
from service.http.router import Router
from service.http.waiting import answer_to
from service.jobs import queue
from service.vote_analyses import store
from service.vote_analyses.analysis import analysis
from service.vote_analyses.kept import Kept, Key
from service.vote_analyses.schemas import VoteAnalysisOut
from service.vote_analyses.store import Rows

MOST_HERE = 1000  # votes, more of which a worker analyses: annotators wait for nobody
BEFORE_SHARDS = 1  # priority: somebody waits

ONE = CapacityLimiter(1)  # computed here at a time: several would only wait for each other
KEPT = Kept()

router = Router(prefix="/v1/annotation_projects", tags=["annotation"])


@dataclass(frozen=True, slots=True)
class Asked:
    """An analysis that is asked for: kept, or of these rows, or of a worker's `request`."""

    key: Key
    project: Project
    kept: VoteAnalysisOut | None = None
    rows: Rows | None = None
    request: str = ""


@router.get("/{project}/analysis", summary="What the votes say")
async def get_annotation_analysis(
    project: str,
    gate: CurrentGate,
    wait: Patience,
    criterion: Annotated[
        str | None, Query(description="of likert: by which ratings; default: the first")
    ] = None,
) -> VoteAnalysisOut:
    """How far people agree, how each of them votes, which system is better and by how much, and how
    many more votes would settle it. Of the votes that stand now; gold questions, controls and
    repeats tell of people alone. More than 1,000 votes are analysed by a worker: `Prefer: wait=600`
    waits longer than 120 s. The same votes are analysed once."""
    asked = await gate.run(lambda db: _asked(db, project, criterion))
    if asked.kept is not None:
        return asked.kept
    found = await _computed(gate, asked, wait)
    KEPT.add(asked.key, found)
    return found


def _asked(db: Connection, id: str, criterion: str | None) -> Asked:
    project = projects.require(db, id)
    by, state = _criterion(project, criterion), store.state(db, id)
    key = (id, by, state)
    kept = KEPT.get(key)
    if kept is not None:
        return Asked(key, project, kept=kept)
    if state.stand + state.judged <= MOST_HERE:
        return Asked(key, project, rows=store.read(db, id))
    request = worker_requests.add(db, "vote_analysis", {"project": id, "criterion": by})
    queue.defer(db, "vote_analysis.compute", priority=BEFORE_SHARDS, request=request)
    return Asked(key, project, request=request)


async def _computed(gate: Gate, asked: Asked, wait: float) -> VoteAnalysisOut:
    if asked.rows is not None:
        criterion = asked.key[1]
        return await to_thread.run_sync(analysis, asked.project, criterion, asked.rows, limiter=ONE)
    answered = await answer_to(gate, asked.request, wait, "; ask again")
    if answered["analysis"] is None:  # it was deleted meanwhile
        raise not_found("annotation project", asked.project.id)
    return VoteAnalysisOut.model_validate(answered["analysis"])


def _criterion(project: Project, asked: str | None) -> str | None:
    """The criterion that ratings are by. Raises 422 for one that the project does not have, and
    where votes are not by criteria."""
    if project.form != "likert":
        if asked is not None:
            message = f"votes of {project.form} are not by criteria: leave it out"
            raise invalid("no_criteria", message, "criterion")
        return None
    names = [str(one["name"]) for one in project.definition["criteria"]]
    if asked is None:
        return names[0]
    if asked not in names:
        message = f"there is no criterion {asked!r}; {hint(asked, names)}"
        raise invalid("unknown_criterion", message, "criterion")
    return asked
