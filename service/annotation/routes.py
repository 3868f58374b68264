"""/v1/annotation_projects: people judge what systems wrote, and do not see whose it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy import Connection

from service.annotation import (
    annotators_store,
    judgements_store,
    model_annotators,
    publishing,
    skips_store,
    store,
    votes_store,
)
from service.annotation.admission import admit
from service.annotation.annotators_store import Annotator
from service.annotation.schemas import (
    AnnotationProjectIn,
    AnnotationProjectOut,
    AnnotatorIn,
    AnnotatorOut,
    Annotators,
    DeletedAnnotationProjectOut,
    DeletedAnnotatorOut,
    NewAnnotatorOut,
    SkipOut,
    VoteOut,
)
from service.annotation.store import Project
from service.annotation.tables import votes_table
from service.annotation.tokens import digest, new_token
from service.annotation.views import (
    annotator_views,
    exported,
    project_views,
    skip_views,
    vote_views,
)
from service.errors import ApiError, not_found
from service.http import space
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Idempotent, Transaction
from service.http.fields import Limit, Order, Page, page
from service.http.formats import TABLES, in_forms
from service.http.idempotency import Created
from service.http.router import Router
from service.jobs import queue

router = Router(prefix="/v1/annotation_projects", tags=["annotation"], route_class=BodyRoute)


@router.post("", status_code=201, summary="Have people judge outputs")
def create_annotation_project(
    body: AnnotationProjectIn, db: Transaction, response: Response, key: Idempotent
) -> AnnotationProjectOut:
    """Items are made of the evaluations' outputs for the same samples. Add annotators next: each
    gets a link."""

    def create(db: Connection) -> Created[AnnotationProjectOut]:
        return Created(_view(db, store.require(db, admit(db, body))), 201)

    return key.once(db, AnnotationProjectOut, create).sent(response)


@router.get("", summary="List annotation projects")
def list_annotation_projects(
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
) -> Page[AnnotationProjectOut]:
    """Newest first."""
    rows = store.page(db, after=after, limit=limit + 1, descending=order == "desc")
    return page(project_views(db, rows), limit)


@router.get("/{project}", summary="One annotation project")
def get_annotation_project(project: str, db: Transaction) -> AnnotationProjectOut:
    """With its progress, and the instructions that annotators read."""
    return _view(db, store.require(db, project))


@router.post("/{project}/close", summary="End an annotation project")
def close_annotation_project(project: str, db: Transaction) -> AnnotationProjectOut:
    """No item is given out any more; votes on those that are out are still taken. Its scores are
    published. Closing it again changes nothing."""
    found = store.require(db, project)
    store.close(db, found.id)
    if found.closed_at is None:
        publishing.later(db, found)
    return _view(db, store.require(db, project))


@router.delete("/{project}", summary="Delete an annotation project")
def delete_annotation_project(project: str, db: Transaction) -> DeletedAnnotationProjectOut:
    """With its items, annotators and votes. The evaluations stay, and so do the scores that were
    published: `published` says where. Without the votes they are never made anew; to take them
    back, delete the annotators' data first."""
    found = store.require(db, project)
    if not store.remove(db, project):
        raise not_found("annotation project", project)
    return DeletedAnnotationProjectOut(id=project, published=publishing.published(db, found))


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
        made = model_annotators.add(db, settings, found, body.model, body)
        return annotator_views(db, found, [made])[0]
    model_annotators.check_person(body)
    if found.closed_at is not None:
        message = "the project is closed: nobody is given items any more"
        raise ApiError(409, "project_closed", message, "project")
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


@router.get("/{project}/votes", summary="All votes", responses=TABLES)
@in_forms(votes_table)
def list_votes(
    project: str,
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 100,
    order: Order = "asc",
    annotators: Annotators = "people",
    texts: Annotated[bool, Query(description="with prompt, outputs and what is expected")] = False,
    undone: Annotated[bool, Query(description="with those that were taken back")] = False,
) -> Page[VoteOut]:
    """Votes that stand, oldest first, of annotators by hashes; those of `models` are there when
    asked for. As JSON Lines, CSV and other tables, too; the header `Link` has the next page.
    `POST …/imports` takes them as they are."""
    found = store.require(db, project)
    rows = votes_store.page(
        db,
        found.id,
        after=after,
        limit=limit + 1,
        descending=order == "desc",
        texts=texts,
        undone=undone,
        by=annotators,
    )
    return page(vote_views(found, rows), limit)


@router.get("/{project}/skips", summary="What was skipped")
def list_skips(
    project: str,
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 100,
    order: Order = "asc",
) -> Page[SkipOut]:
    """Items that annotators gave back, oldest first, with their reasons."""
    found = store.require(db, project)
    descending = order == "desc"
    rows = skips_store.page(db, found.id, after=after, limit=limit + 1, descending=descending)
    return page(skip_views(found, rows), limit)


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


def _view(db: Connection, project: Project) -> AnnotationProjectOut:
    return project_views(db, [project])[0]
