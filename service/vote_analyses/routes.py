"""GET /v1/annotation_projects/{id}/analysis: what people's votes say."""

from __future__ import annotations

from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query
from sqlalchemy import Connection

from metrics.core.names import hint
from service.annotation import store
from service.annotation.store import Project
from service.errors import invalid, not_found
from service.http.dependencies import CurrentGate
from service.vote_analyses.ballots import Ballots, read
from service.vote_analyses.schemas import VoteAnalysisOut
from service.vote_analyses.views import analysis

ONE = CapacityLimiter(1)  # computed at a time: several would only wait for each other

router = APIRouter(prefix="/v1/annotation_projects", tags=["annotation"])


@router.get("/{project}/analysis", summary="What the votes say")
async def get_annotation_analysis(
    project: str,
    gate: CurrentGate,
    criterion: Annotated[
        str | None, Query(description="of likert: by which ratings; default: the first")
    ] = None,
) -> VoteAnalysisOut:
    """How far people agree, how each of them votes, which system is better and by how much, and how
    many more votes would settle it. Of the votes that stand now; gold questions, controls and
    repeats tell of people alone."""

    def ballots(db: Connection) -> Ballots:
        found = store.get(db, project)
        if found is None:
            raise not_found("annotation project", project)
        return read(db, found, _criterion(found, criterion))

    return await to_thread.run_sync(analysis, await gate.run(ballots), limiter=ONE)


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
