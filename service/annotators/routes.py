"""/v1/annotation_projects/{id}/annotators: people with their links, models that are asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Query, Request
from sqlalchemy import Connection

from service.annotation import annotators_store, informative, judgements_store, publishing, store
from service.annotation.annotators_store import Annotator
from service.annotation.store import Project
from service.annotation.tokens import digest, new_token
from service.annotators import models
from service.annotators.schemas import (
    AnnotatorIn,
    AnnotatorOut,
    DeletedAnnotatorOut,
    NewAnnotatorOut,
)
from service.annotators.views import annotator_views, exported
from service.errors import ApiError, not_found
from service.http import space
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Transaction
from service.http.fields import Limit, Order, Page, page
from service.http.router import Router
from service.jobs import queue

router = Router(prefix="/v1/annotation_projects", tags=["annotation"], route_class=BodyRoute)


@router.post("/{project}/annotators", status_code=201, summary="Add an annotator")
def add_annotator(
    project: str, body: AnnotatorIn, db: Transaction, settings: CurrentSettings, request: Request
) -> NewAnnotatorOut | AnnotatorOut:
    """Whoever has the `url` may annotate. The token is shown this once, and stands behind the `#`,
    so that no server's log has it. There is no `Idempotency-Key`: the answer is kept nowhere.

    A `model` has no link: workers ask it about every item, also of a closed project, with the
    instructions that people read. Its votes are kept apart: they take nothing of the overlap, and
    count nowhere as people's."""
    space.require(settings)
    found = store.share(db, project)
    if body.model is not None:
        made = models.add(db, settings, found, body.model, body)
        return annotator_views(db, found, [made])[0]
    models.check_person(body)
    if found.closed_at is not None:
        message = "the project is closed: nobody is given items any more"
        raise ApiError(409, "project_closed", message, "project")
    if found.definition["items"] == "most_informative":
        informative.prepare()
    token = new_token()
    lasts = timedelta(seconds=body.expires_in)
    person = annotators_store.add(db, found.id, body.name, digest(token), lasts)
    return NewAnnotatorOut(
        id=person.id,
        name=person.name,
        token=token,
        url=f"{request.base_url}annotate#token={token}",
        expires_at=person.expires_at,
    )


@router.get("/{project}/annotators", summary="Who annotates, and how they do")
def list_annotators(
    project: str,
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
) -> Page[AnnotatorOut]:
    """Attention by gold questions and controls, consistency by repeats."""
    found = store.require(db, project)
    descending = order == "desc"
    rows = annotators_store.page(db, found.id, after=after, limit=limit + 1, descending=descending)
    return page(annotator_views(db, found, rows), limit)


@router.delete("/{project}/annotators/{annotator}", summary="End an annotator's link")
def delete_annotator(
    project: str, annotator: str, db: Transaction, data: bool = False
) -> DeletedAnnotatorOut:
    """The token is refused from now on, and the item that was out goes to others. With `data=true`
    the person and all their votes are deleted, and others are asked in their place; published
    scores are published anew. Versions of datasets that hold such votes are told. A model is asked
    no further."""
    of = store.hold(db, project)
    found = _annotator(db, of, annotator)
    annotators_store.lock(db, found.id)
    holding = exported(db, of, [found])[found.id]
    if found.model is not None:
        votes = _end_model(db, found, data)
        return DeletedAnnotatorOut(id=found.id, deleted=data, votes=votes, datasets=holding)
    if data:
        votes = annotators_store.remove(db, found.id)
        publishing.renew(db, of)
        return DeletedAnnotatorOut(id=found.id, deleted=True, votes=votes, datasets=holding)
    annotators_store.revoke(db, found.id)
    return DeletedAnnotatorOut(id=found.id, deleted=False, votes=0, datasets=holding)


def _end_model(db: Connection, found: Annotator, data: bool) -> int:
    """How many of its answers are gone."""
    queue.cancel_all(db, annotator=found.id)
    if not data:
        annotators_store.revoke(db, found.id)
        return 0
    votes = judgements_store.count(db, found.id)
    annotators_store.remove(db, found.id)
    return votes


def _annotator(db: Connection, project: Project, id: str) -> Annotator:
    found = annotators_store.get(db, project.id, id)
    if found is None:
        raise not_found("annotator", id)
    return found
