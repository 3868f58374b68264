"""GET /v1/annotation_projects/{id}/items: what people together say of each item."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from sqlalchemy import Connection

from service.annotation import exclusions
from service.annotation import store as projects
from service.annotation.exclusions import Exclude
from service.http.dependencies import CurrentGate, Patience
from service.http.fields import Limit, Page, page
from service.http.formats import LISTS, in_forms
from service.http.router import Router
from service.vote_analyses import store
from service.vote_analyses.asking import LABEL_FIT
from service.vote_analyses.computed import Asked
from service.vote_analyses.consensus import judged_items
from service.vote_analyses.item_schemas import JudgedItemOut
from service.vote_analyses.tables import items_table

router = Router(prefix="/v1/annotation_projects", tags=["annotation"])


@router.get("/{project}/items", summary="What people say of each item", responses=LISTS)
@in_forms(items_table, drawn=False)
async def list_judged_items(
    project: str,
    gate: CurrentGate,
    wait: Patience,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 100,
    order: Literal["asc", "desc"] = "asc",
    exclude: Exclude = None,
) -> Page[JudgedItemOut]:
    """Their consensus, how sure it is and how far people disagree, in the order in which items are
    given out; without gold questions and controls. Labels are by a model of all votes, of which
    more than 1,000 are fitted by a worker: see the analysis. As CSV and other tables, too; the
    header `Link` has the next page."""
    asked = await gate.run(lambda db: _asked(db, project, exclude))
    fit = None
    if asked.project.form == "label":
        fit = await LABEL_FIT.of(gate, lambda db: _asked(db, project, exclude), wait)

    def read(db: Connection) -> Page[JudgedItemOut]:
        rows = store.page(db, project, after=after, limit=limit + 1, descending=order == "desc")
        votes = store.votes_on(db, [one.id for one in rows], asked.exclude)
        return page(judged_items(asked.project, rows, votes, fit), limit)

    return await gate.run(read)


def _asked(db: Connection, id: str, exclude: str | None) -> Asked:
    project = projects.require(db, id)
    return Asked(project, store.state(db, id), exclude=exclusions.named(db, id, exclude))
