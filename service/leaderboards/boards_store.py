"""Computed boards as they are stored: a head, what is left out, and the rows, by their place.

What a board was computed from is known by the evaluations that had landed on its dataset, of any
version, since rows tell of those, too. A board that knows fewer than there are is out of date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from service.db.board_tables import board_rows, boards
from service.db.bulk import copy
from service.db.stored import Stored
from service.db.tables import datasets, evaluations
from service.errors import invalid

FORM = 4  # raised when what is computed, or its schema, changes: older ones are computed anew


@dataclass(frozen=True, slots=True)
class BoardKey:
    """What a board is of.

    slice      "": the whole set
    signature  "": the one most systems have
    cluster    the field that samples belong together by; "": as the evaluations have it
    protocol   the digest of the protocol by which records were asked; `none`: outputs were given,
               or records asked as they are; `any`: all of them; "": the one most systems have
    """

    dataset_id: str
    score: str
    slice: str = ""
    signature: str = ""
    cluster: str = ""
    protocol: str = ""

    @property
    def id(self) -> str:
        """Of the board, the same for the same key."""
        parts = [*astuple(self), FORM]
        return "board_" + hashlib.sha256(orjson.dumps(parts)).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Landed(Stored):
    """Evaluations that have succeeded on any version of a dataset, and when the last one did."""

    landed: int
    landed_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredBoard(Stored):
    """A computed board without its rows; `head` and `left_out` are JSON."""

    id: str
    dataset_id: str
    score: str
    slice: str
    signature: str
    cluster: str
    protocol: str
    landed: int
    landed_at: datetime | None
    size: int
    head: str
    left_out: str
    computed_at: datetime

    def knows(self, landed: Landed) -> bool:
        """Whether it was computed from all that has landed."""
        return (self.landed, self.landed_at) == (landed.landed, landed.landed_at)


def landed(db: Connection, name: str, since: datetime | None = None) -> Landed:
    """What has landed on the dataset of this name, `since` a time or ever."""
    query = (
        select(func.count().label("landed"), func.max(evaluations.c.finished_at).label("landed_at"))
        .join(datasets, datasets.c.id == evaluations.c.dataset_id)
        .where(datasets.c.name == name, evaluations.c.status == "succeeded")
    )
    if since is not None:
        query = query.where(evaluations.c.finished_at > since)
    return Landed.from_row(db.execute(query).one())


def lock(db: Connection, key: BoardKey) -> None:
    """Until the transaction ends, nobody else computes this board."""
    db.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:id, 13))"), {"id": key.id})


def find(db: Connection, key: BoardKey) -> StoredBoard | None:
    """The board as it was computed last; None: never."""
    row = db.execute(select(boards).where(boards.c.id == key.id)).one_or_none()
    return StoredBoard.from_row(row) if row is not None else None


def keys(db: Connection, dataset_id: str) -> list[BoardKey]:
    """Boards of this dataset version that have been computed."""
    parts = ("score", "slice", "signature", "cluster", "protocol")
    query = select(*(boards.c[name] for name in parts)).where(boards.c.dataset_id == dataset_id)
    return [BoardKey(dataset_id, *row) for row in db.execute(query.order_by(boards.c.id))]


def put(
    db: Connection,
    key: BoardKey,
    known: Landed,
    *,
    head: str,
    left_out: str,
    rows: Sequence[tuple[str, str]],
) -> None:
    """Store a board in place of what there was; the caller holds its lock.

    rows  evaluation and content (JSON) of each, in order
    """
    db.execute(delete(board_rows).where(board_rows.c.board_id == key.id))
    values = {
        "landed": known.landed,
        "landed_at": known.landed_at,
        "size": len(rows),
        "head": head,
        "left_out": left_out,
        "computed_at": func.now(),
    }
    db.execute(
        insert(boards)
        .values(id=key.id, **asdict(key), **values)
        .on_conflict_do_update(index_elements=[boards.c.id], set_=values)
    )
    copy(
        db,
        board_rows,
        ("board_id", "place", "evaluation_id", "content"),
        ((key.id, place, evaluation, content) for place, (evaluation, content) in enumerate(rows)),
    )


def page(db: Connection, board_id: str, *, after: str | None, limit: int) -> list[tuple[str, str]]:
    """Up to `limit` rows after that of the evaluation `after`: evaluation and content (JSON).

    Raises 422 where no row is of that evaluation.
    """
    columns = (board_rows.c.evaluation_id, board_rows.c.content)
    query = select(*columns).where(board_rows.c.board_id == board_id)
    if after is not None:
        place = db.scalar(
            select(board_rows.c.place).where(
                board_rows.c.board_id == board_id, board_rows.c.evaluation_id == after
            )
        )
        if place is None:
            raise unknown_cursor(after)
        query = query.where(board_rows.c.place > place)
    return [(row[0], row[1]) for row in db.execute(query.order_by(board_rows.c.place).limit(limit))]


def unknown_cursor(after: str) -> Exception:
    """422 for a page after nothing."""
    message = f"no row of this board is of the evaluation {after!r}"
    return invalid("unknown_cursor", message, "after")
