"""Datasets: versions named by their content, and the records in them."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import orjson
from sqlalchemy import ColumnElement, Connection, case, func, literal_column, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from metrics.core.clustered import LONGEST_VALUE
from metrics.core.names import without_value
from service.db.bulk import copy
from service.db.identifiers import new
from service.db.pages import paged
from service.db.stored import Stored
from service.db.tables import datasets, records
from service.errors import invalid, not_found

Content = dict[str, Any]  # of a record, {"id", ...}: the rest depends on the dataset's kind


class Records(Protocol):
    """Records that can be gone through more than once."""

    def __iter__(self) -> Iterator[Content]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Dataset(Stored):
    """A version of a dataset. Its content never changes; `size` counts records."""

    id: str
    name: str
    version: int
    kind: str
    digest: str
    size: int
    created_at: datetime


def digest(kind: str, content: Iterable[Content]) -> str:
    """sha256 over the canonical JSON of the records, in order."""
    state = hashlib.sha256(kind.encode())
    for record in content:
        state.update(orjson.dumps(record, option=orjson.OPT_SORT_KEYS))
        state.update(b"\n")
    return state.hexdigest()


def put(
    db: Connection, name: str, kind: str, content: Records, param: str = "name"
) -> tuple[Dataset, bool]:
    """The version of `name` with this content, and whether it was made now.

    The same content again gives the same version. Two writers of one name wait for each other.
    Raises 422 where the name's latest version is of another kind: what evaluates or trains on the
    name would get records that it cannot use.

    param  the request's field that holds the name
    """
    named = digest(kind, content)
    db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 7))"), {"name": name})
    found = db.execute(
        select(datasets).where(
            datasets.c.name == name, datasets.c.kind == kind, datasets.c.digest == named
        )
    ).one_or_none()
    if found is not None:
        return Dataset.from_row(found), False
    latest = find(db, name)
    if latest is not None and latest.kind != kind:
        message = f"{name!r} is a dataset of kind {latest.kind}; give one of kind {kind} another "
        raise invalid("wrong_kind", message + "name", param)
    row = db.execute(
        insert(datasets)
        .values(
            id=new("ds"),
            name=name,
            version=latest.version + 1 if latest is not None else 1,
            kind=kind,
            digest=named,
            size=len(content),
        )
        .returning(*datasets.c)
    ).one()
    copy(
        db,
        records,
        ("dataset_id", "index", "record_id", "content"),
        (
            (row.id, index, record["id"], orjson.dumps(record).decode())
            for index, record in enumerate(content)
        ),
    )
    return Dataset.from_row(row), True


def find(db: Connection, reference: str, at: datetime | None = None) -> Dataset | None:
    """By id (`ds_…`), by name (the latest version), or by `name@version`.

    at  of a name the version that was the latest by then, if there was one
    """
    query = select(datasets)
    if reference.startswith("ds_"):
        query = query.where(datasets.c.id == reference)
    else:
        name, sign, version = reference.rpartition("@")
        if sign and version.isascii() and version.isdigit() and len(version) < 10:  # an int4
            query = query.where(datasets.c.name == name, datasets.c.version == int(version))
        else:
            query = query.where(datasets.c.name == reference)
            if at is not None:
                query = query.order_by((datasets.c.created_at <= at).desc())
        query = query.order_by(datasets.c.version.desc()).limit(1)
    row = db.execute(query).one_or_none()
    return Dataset.from_row(row) if row is not None else None


def require(
    db: Connection, reference: str, param: str | None = None, at: datetime | None = None
) -> Dataset:
    """The dataset, as `find` has it. Raises 404, or 422 where the field `param` of a body named it,
    with the nearest names."""
    dataset = find(db, reference, at)
    if dataset is not None:
        return dataset
    near = difflib.get_close_matches(reference, names(db), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else ""
    missing = not_found("dataset", reference, hint)
    if param is not None:
        raise invalid(missing.code, missing.message, param)
    raise missing


def names(db: Connection, limit: int = 500) -> list[str]:
    """Distinct dataset names, for suggestions."""
    query = select(datasets.c.name).distinct().order_by(datasets.c.name).limit(limit)
    return list(db.scalars(query))


def page(
    db: Connection, *, after: str | None, limit: int, descending: bool, name: str | None = None
) -> list[Dataset]:
    """Up to `limit` datasets after the id `after`, by time of creation."""
    query = select(datasets)
    if name:
        query = query.where(datasets.c.name == name)
    query = paged(db, query, datasets.c.id, after=after, limit=limit, descending=descending)
    return [Dataset.from_row(row) for row in db.execute(query)]


def read_records(
    db: Connection, dataset_id: str, start: int = 0, stop: int | None = None
) -> list[Content]:
    """Contents of records start <= index < stop, in order."""
    query = (
        select(records.c.content)
        .where(records.c.dataset_id == dataset_id, records.c.index >= start)
        .order_by(records.c.index)
    )
    if stop is not None:
        query = query.where(records.c.index < stop)
    return list(db.scalars(query))


def longest(db: Connection, dataset_id: str, sequences: Sequence[Sequence[str]]) -> int:
    """Bytes of the longest text that records hold. A text is what a record has in the fields of one
    of `sequences`; without any, it is the record as JSON, less its id and metadata."""
    content = records.c.content
    texts: list[ColumnElement[str]] = [
        func.concat(*(asked_text() if name == "prompt" else content[name].astext for name in names))
        for names in sequences
    ]
    if not texts:
        texts.append(literal_column("(content - 'metadata' - 'id')::text"))
    sizes = [func.max(func.octet_length(each)) for each in texts]
    row = db.execute(select(*sizes).where(records.c.dataset_id == dataset_id)).one()
    return max(int(size or 0) for size in row)


def distinct(db: Connection, dataset_id: str) -> int:
    """How many records differ in more than id and metadata."""
    content: ColumnElement[str] = literal_column("md5((content - 'metadata' - 'id')::text)")
    query = select(func.count(content.distinct())).where(records.c.dataset_id == dataset_id)
    return int(db.scalar(query) or 0)


def read_ids(db: Connection, dataset_id: str) -> list[str]:
    """Record ids in order."""
    query = select(records.c.record_id).where(records.c.dataset_id == dataset_id)
    return list(db.scalars(query.order_by(records.c.index)))


def read_metadata(db: Connection, dataset_id: str, key: str) -> dict[int, str]:
    """One metadata value of the records that have it, as text, by index.

    Null is none, and so is a text longer than `LONGEST_VALUE`: it names no group.
    """
    value = records.c.content["metadata"][key].astext  # NULL for JSON's null
    query = select(records.c.index, value).where(
        records.c.dataset_id == dataset_id, func.length(value) <= LONGEST_VALUE
    )
    return {row[0]: row[1] for row in db.execute(query.order_by(records.c.index))}


def read_clusters(db: Connection, dataset_id: str, field: str) -> list[str]:
    """The cluster of each record, by index: its value of a metadata field, or of `prompt`.

    A record without a value is a cluster of its own. Raises ApiError, naming the fields that there
    are, where no record has one.
    """
    named = _named(db, dataset_id, records.c.content["metadata"][field].astext)
    if not named and field == "prompt":
        named = _named(db, dataset_id, asked_text())
    if not named:
        message = without_value(field, metadata_fields(db, dataset_id))
        raise invalid("unknown_field", message, "cluster")
    ids = read_ids(db, dataset_id)
    return cluster_names([named.get(index) for index in range(len(ids))], ids)


def cluster_names(values: Sequence[str | None], ids: Sequence[str]) -> list[str]:
    """The cluster of each record by its value; one without is a cluster of its own."""
    return [
        f"sample {id}" if value is None else f"value {value}"
        for value, id in zip(values, ids, strict=True)
    ]


def asked_text() -> ColumnElement[str]:
    """What a record asks: its prompt, or its messages as JSON."""
    content = records.c.content
    return func.coalesce(content["prompt"].astext, content["messages"].astext)


def shortened(value: ColumnElement[str]) -> ColumnElement[str]:
    """A text as clusters are named by it: a long one by its digest."""
    return case((func.length(value) <= LONGEST_VALUE, value), else_=func.md5(value))


def _named(db: Connection, dataset_id: str, value: ColumnElement[str]) -> dict[int, str]:
    """The value of the records that have it, by index."""
    query = select(records.c.index, shortened(value)).where(
        records.c.dataset_id == dataset_id, value.is_not(None)
    )
    return {row[0]: row[1] for row in db.execute(query)}


def metadata_fields(db: Connection, dataset_id: str) -> list[str]:
    """The names of the metadata fields that the dataset's records have."""
    keys = func.jsonb_object_keys(records.c.content["metadata"]).label("key")
    query = select(keys).where(
        records.c.dataset_id == dataset_id,
        func.jsonb_typeof(records.c.content["metadata"]) == "object",
    )
    return sorted(db.scalars(query.distinct()))


def differing(db: Connection, a: str, b: str) -> str | None:
    """The id of a record that is in both datasets and not the same in both; None without one.

    The same means what outputs are made from and compared with: metadata may differ.
    """
    left, right = records.alias(), records.alias()
    unlike = [
        left.c.content[name].is_distinct_from(right.c.content[name])
        for name in ("prompt", "messages", "references", "tests")
    ]
    query = (
        select(left.c.record_id)
        .join(right, right.c.record_id == left.c.record_id)
        .where(left.c.dataset_id == a, right.c.dataset_id == b, or_(*unlike))
        .order_by(left.c.index)
        .limit(1)
    )
    return db.scalar(query)


def find_index(db: Connection, dataset_id: str, record_id: str) -> int | None:
    """Where in the dataset a record stands."""
    query = select(records.c.index).where(
        records.c.dataset_id == dataset_id, records.c.record_id == record_id
    )
    return db.scalar(query)
