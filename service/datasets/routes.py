"""/v1/datasets: what outputs are compared with and models are trained on, versioned by content."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from sqlalchemy import Connection

from service.datasets import store as datasets
from service.datasets.schemas import DatasetIn, DatasetOut, checked
from service.errors import invalid
from service.http.bodies import BodyRoute
from service.http.dependencies import Idempotent, Transaction
from service.http.fields import Limit, Order, Page, page
from service.http.idempotency import Created
from service.http.router import Router

router = Router(prefix="/v1/datasets", tags=["datasets"], route_class=BodyRoute)


@router.post(
    "",
    status_code=201,
    responses={200: {"model": DatasetOut, "description": "A version with this content is there"}},
    summary="Make a version of a dataset",
)
def create_dataset(
    body: DatasetIn, db: Transaction, response: Response, key: Idempotent
) -> DatasetOut:
    """The same content again gives the same version, with status 200. Every record is checked
    before anything is stored; the first twenty errors are told by row and field."""

    def create(db: Connection) -> Created[DatasetOut]:
        content = list(checked(body.records, body.kind, "records"))
        dataset, new = datasets.put(db, body.name, body.kind, content)
        return Created(view(dataset), 201 if new else 200)

    return key.once(db, DatasetOut, create).sent(response)


@router.get("", summary="List datasets")
def list_datasets(
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
    name: str | None = None,
) -> Page[DatasetOut]:
    """Versions of all datasets, or of one `name`."""
    rows = datasets.page(db, after=after, limit=limit + 1, descending=order == "desc", name=name)
    return page([view(row) for row in rows], limit)


# names may hold slashes, as those of models do: hence `path`, and this one first
@router.get("/{dataset:path}/records", summary="A dataset's records")
def list_records(
    dataset: str,
    db: Transaction,
    after: str | None = None,
    offset: Annotated[
        int, Query(ge=0, lt=2**30, description="where to begin, without `after`")
    ] = 0,
    limit: Annotated[Limit, Query()] = 20,
) -> Page[dict[str, Any]]:
    """In the dataset's order; `after` is a record's id."""
    found = datasets.require(db, dataset)
    if after is not None:
        index = datasets.find_index(db, found.id, after)
        if index is None:
            raise invalid("unknown_cursor", f"no record has the id {after!r}", "after")
        offset = index + 1
    rows = datasets.read_records(db, found.id, offset, offset + limit + 1)
    return page(rows, limit)


@router.get("/{dataset:path}", summary="One dataset, by id, name or name@version")
def get_dataset(dataset: str, db: Transaction) -> DatasetOut:
    """By name, it is the latest version."""
    return view(datasets.require(db, dataset))


def view(dataset: datasets.Dataset) -> DatasetOut:
    """The dataset as it is shown."""
    return DatasetOut.model_validate(dataset, from_attributes=True)
