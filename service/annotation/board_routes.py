"""/v1/annotation_projects/{id}: what people said as scores, and metrics beside people."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query
from sqlalchemy import Connection

from service.annotation import publishing, store
from service.annotation.board_schemas import HeldToPeopleOut, PublishedScoresOut, PublishedSystemOut
from service.annotation.judging import held_to_people
from service.annotation.store import Project
from service.errors import ApiError, not_found
from service.evaluations import plans
from service.evaluations.scores import read_scores
from service.evaluations.views import score_view
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Transaction
from service.http.router import Router
from service.http.waiting import answer_to, preferred_wait

WAIT = 120.0  # seconds

router = Router(prefix="/v1/annotation_projects", tags=["annotation"], route_class=BodyRoute)


@router.post("/{project}/publish", summary="Make people's votes scores of the evaluations")
async def publish_scores(
    project: str, gate: CurrentGate, prefer: Annotated[str | None, Header()] = None
) -> PublishedScoresOut:
    """The votes there are become scores of each system's evaluation, in place of those by earlier
    votes: `human/win_rate`, `human/strength`, `human/<criterion>`. They stand on boards, in
    comparisons, gates and slices as others do. A worker computes them; `Prefer: wait=600` waits
    longer than 120 s. They are published anew when the project is closed."""

    def ask(db: Connection) -> str:
        return publishing.ask(db, _project(db, project))

    request = await gate.run(ask)
    answered = await answer_to(gate, request, preferred_wait(prefer) or WAIT, "; they come later")
    if answered.get("error"):
        raise ApiError(500, answered["error"]["code"], answered["error"]["message"])
    return await gate.run(lambda db: _published(db, _project(db, project), answered["votes"]))


@router.get("/{project}/judges", summary="How far judges and metrics agree with people")
def get_judges(
    project: str,
    db: Transaction,
    settings: CurrentSettings,
    slice: Annotated[str | None, Query(description="as lang=ru, of the metadata")] = None,
) -> HeldToPeopleOut:
    """Of every score that the project's evaluations share, the share of votes whose order of two
    outputs it has, too, and two people's agreement to hold it against."""
    return held_to_people(db, settings, _project(db, project), slice)


def _project(db: Connection, id: str) -> Project:
    found = store.get(db, id)
    if found is None:
        raise not_found("annotation project", id)
    return found


def _published(db: Connection, project: Project, votes: int) -> PublishedScoresOut:
    scores = read_scores(db, [one["evaluation"] for one in project.systems])
    systems = []
    for one in project.systems:
        own = set(plans.places(db, one["evaluation"], project.id).values())
        found = [score for score in scores[one["evaluation"]] if score.position in own]
        shown = [score_view(score, score.judged) for score in found]
        systems.append(
            PublishedSystemOut(
                system=one["system"],
                evaluation=one["evaluation"],
                scores=[score for score in shown if score.slice is None],
                slices=[score for score in shown if score.slice is not None],
            )
        )
    return PublishedScoresOut(id=project.id, votes=votes, systems=systems)
