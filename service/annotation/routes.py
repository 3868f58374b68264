"""/v1/annotation_projects: people judge what systems wrote, and do not see whose it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response
from sqlalchemy import Connection

from service.annotation import (
    publishing,
    skips_store,
    store,
    votes_store,
)
from service.annotation.admission import admit
from service.annotation.schemas import (
    AnnotationProjectIn,
    AnnotationProjectOut,
    Annotators,
    DeletedAnnotationProjectOut,
    SkipOut,
    VoteOut,
)
from service.annotation.store import Project
from service.annotation.tables import votes_table
from service.annotation.views import (
    project_views,
    skip_views,
    vote_views,
)
from service.errors import not_found
from service.http.bodies import BodyRoute
from service.http.dependencies import Idempotent, Transaction
from service.http.fields import Limit, Order, Page, page
from service.http.formats import LISTS, in_forms
from service.http.idempotency import Created
from service.http.router import Router

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


@router.get("/{project}/votes", summary="All votes", responses=LISTS)
@in_forms(votes_table, drawn=False)
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
    asked for. As JSON Lines, CSV and other tables, too: these are a page as well, of `limit`
    votes, and the header `Link` has the next. `POST …/imports` takes them as they are."""
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


def _view(db: Connection, project: Project) -> AnnotationProjectOut:
    return project_views(db, [project])[0]
