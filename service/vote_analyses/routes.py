"""GET /v1/annotation_projects/{id}/analysis: what people's votes say."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from sqlalchemy import Connection

from metrics.core.names import hint
from service.annotation import exclusions
from service.annotation import store as projects
from service.annotation.exclusions import Exclude
from service.annotation.store import Project
from service.errors import invalid
from service.http.dependencies import CurrentGate, Patience
from service.http.router import Router
from service.vote_analyses import store
from service.vote_analyses.asking import ANALYSIS
from service.vote_analyses.computed import Asked
from service.vote_analyses.schemas import VoteAnalysisOut

router = Router(prefix="/v1/annotation_projects", tags=["annotation"])


@router.get("/{project}/analysis", summary="What the votes say")
async def get_annotation_analysis(
    project: str,
    gate: CurrentGate,
    wait: Patience,
    criterion: Annotated[
        str | None, Query(description="of likert: by which ratings; default: the first")
    ] = None,
    exclude: Exclude = None,
) -> VoteAnalysisOut:
    """How far people agree, how each of them votes, which system is better and by how much, and how
    many more votes would settle it. Of the votes that stand now; gold questions, controls and
    repeats tell of people alone. More than 1,000 votes are analysed by a worker: `Prefer: wait=600`
    waits longer than 120 s. The same votes are analysed once. `exclude` looks at what they would
    say without some people: nothing is changed by it."""
    return await ANALYSIS.of(gate, lambda db: _asked(db, project, criterion, exclude), wait)


def _asked(db: Connection, id: str, criterion: str | None, exclude: str | None) -> Asked:
    project = projects.require(db, id)
    without = exclusions.named(db, id, exclude)
    return Asked(project, store.state(db, id), _criterion(project, criterion), without)


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
