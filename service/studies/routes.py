"""/v1/annotation_projects/…study: how many people and items an interval takes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from service.annotation import store
from service.http.bodies import BodyRoute
from service.http.dependencies import Transaction
from service.http.router import Router
from service.studies import sizes
from service.studies.schemas import HalfWidth, Level, StudyIn, StudyOut

router = Router(prefix="/v1/annotation_projects", tags=["annotation"], route_class=BodyRoute)


@router.post("/study", summary="Plan a study before there is a project")
def plan_study(body: StudyIn) -> StudyOut:
    """How many items, people and votes give each system's interval the half-width, and the plan in
    words. Nothing is stored: how votes vary is assumed."""
    return sizes.before(body)


@router.get("/{project}/study", summary="Plan the study of a project")
def get_study(
    project: str,
    db: Transaction,
    half_width: Annotated[HalfWidth, Query()],
    level: Annotated[Level, Query()] = 0.95,
) -> StudyOut:
    """As before there was one; how votes vary is what its own votes say, once there are 50 of three
    people."""
    return sizes.of_project(db, store.require(db, project), half_width, level)
