"""Votes out of annotation projects, as datasets to train on."""

from __future__ import annotations

from fastapi import Response
from sqlalchemy import Connection

from service.annotation import store
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Idempotent, Transaction
from service.http.idempotency import Created
from service.http.router import Router
from service.vote_exchange.export_schemas import AnnotationExportIn, AnnotationExportOut
from service.vote_exchange.exports import export

router = Router(prefix="/v1/annotation_projects", tags=["annotation"], route_class=BodyRoute)


@router.post(
    "/{project}/export",
    status_code=201,
    responses={
        200: {"model": AnnotationExportOut, "description": "Versions with this content are there"}
    },
    summary="Make a dataset of votes",
)
def export_votes(
    project: str,
    body: AnnotationExportIn,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> AnnotationExportOut:
    """Of votes that stand, without gold questions, controls and repeats. The same votes again give
    the same versions, with status 200. Records say by whom they are (hashes), of how many votes,
    and by how much the chosen output leads."""
    found = store.require(db, project)

    def create(db: Connection) -> Created[AnnotationExportOut]:
        made, new = export(db, found, body, settings)
        return Created(made, 201 if new else 200)

    return key.once(db, AnnotationExportOut, create).sent(response)
