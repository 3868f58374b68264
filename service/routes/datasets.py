"""/v1/datasets: what outputs are compared with, versioned by content."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from service.store import datasets
from service.wire.asking import SampleIn, existing, unique_ids
from service.wire.dependencies import Idempotent, Transaction
from service.wire.fields import Limit, Name, Page, Schema, page

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])

Kind = Literal["eval", "code"]


class Record(SampleIn):
    """A record of an evaluation set: a sample without outputs."""

    output: None = None
    outputs: None = None


class DatasetIn(Schema):
    name: Name
    kind: Kind = "eval"
    records: Annotated[list[Record], Field(min_length=1)]

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "name": "capitals",
                    "kind": "eval",
                    "records": [
                        {"id": "fr", "prompt": "Capital of France?", "references": ["Paris"]},
                        {"id": "ru", "prompt": "Столица России?", "references": ["Москва"]},
                    ],
                }
            ]
        }
    }


class DatasetOut(BaseModel):
    id: str
    object: str = "dataset"
    name: str
    version: int
    digest: str
    kind: str
    size: int
    created_at: datetime


class RecordOut(BaseModel):
    id: str
    prompt: str | None = None
    references: list[str] = Field(default_factory=list)
    tests: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


@router.post("", status_code=201, summary="Make a version of a dataset")
def create_dataset(
    body: DatasetIn, db: Transaction, response: Response, once: Idempotent
) -> DatasetOut:
    """The same content again gives the same version, with status 200."""
    if once.answer is not None:
        response.status_code = once.answer.status
        return DatasetOut.model_validate(once.answer.response)
    unique_ids([one.sample(index) for index, one in enumerate(body.records)], "records")
    content = [record.record(index) for index, record in enumerate(body.records)]
    found, made = datasets.put(db, body.name, body.kind, content)
    response.status_code = 201 if made else 200
    shown = view(found)
    once.remember(response.status_code, shown)
    return shown


@router.get("", summary="List datasets")
def list_datasets(
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Literal["asc", "desc"] = "desc",
    name: str | None = None,
) -> Page[DatasetOut]:
    rows = datasets.page(db, after=after, limit=limit + 1, descending=order == "desc", name=name)
    return page([view(row) for row in rows], limit)


@router.get("/{dataset}", summary="One dataset, by id, name or name@version")
def get_dataset(dataset: str, db: Transaction) -> DatasetOut:
    return view(existing(db, dataset))


@router.get("/{dataset}/records", summary="A dataset's records")
def list_records(
    dataset: str, db: Transaction, offset: int = 0, limit: Annotated[Limit, Query()] = 20
) -> Page[RecordOut]:
    found = existing(db, dataset)
    rows = datasets.read_records(db, found.id, max(offset, 0), max(offset, 0) + limit + 1)
    return page([RecordOut.model_validate(row) for row in rows], limit)


def view(found: datasets.Dataset) -> DatasetOut:
    return DatasetOut.model_validate(found, from_attributes=True)
