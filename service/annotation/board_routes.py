"""/v1/annotation_projects/{id}: what people said as scores, and metrics beside people."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from sqlalchemy import Connection

from service.annotation import publishing, store
from service.annotation.board_schemas import HeldToPeopleOut, PublishedScoresOut, PublishedSystemOut
from service.annotation.judging import held_to_people
from service.annotation.store import Project
from service.evaluations import plans
from service.evaluations.scores import read_scores
from service.evaluations.views import score_view
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Patience, Transaction
from service.http.router import Router
from service.http.waiting import answer_to

router = Router(prefix="/v1/annotation_projects", tags=["annotation"], route_class=BodyRoute)


@router.post("/{project}/publish", summary="Make people's votes scores of the evaluations")
async def publish_scores(project: str, gate: CurrentGate, wait: Patience) -> PublishedScoresOut:
    """The votes there are become scores of each system's evaluation, in place of those by earlier
    votes: `human/win_rate`, `human/strength`, `human/<criterion>`. They stand on boards, in
    comparisons, gates and slices as others do. A worker computes them; `Prefer: wait=600` waits
    longer than 120 s. They are published anew when the project is closed."""

    def ask(db: Connection) -> str:
        return publishing.ask(db, store.require(db, project))

    request = await gate.run(ask)
    answered = await answer_to(gate, request, wait, "; they come later")
    return await gate.run(lambda db: _published(db, store.require(db, project), answered["votes"]))


@router.get("/{project}/judges", summary="How far judges and metrics agree with people")
def get_judges(
    project: str,
    db: Transaction,
    settings: CurrentSettings,
    slice: Annotated[str | None, Query(description="as lang=ru, of the metadata")] = None,
) -> HeldToPeopleOut:
    """Of every score that the project's evaluations share, the share of votes whose order of two
    outputs it has, too, and two people's agreement to hold it against."""
    return held_to_people(db, settings, store.require(db, project), slice)


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
