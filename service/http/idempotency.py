"""`Idempotency-Key`: one key and body, one answer. The mechanism of every POST that creates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from fastapi import Response
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Connection, Row, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from service.db.tables import idempotency_keys
from service.errors import ApiError
from service.settings import Settings

HOURS_KEPT = 48  # of a key after its first use

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Created(Generic[M]):
    """The answer to a POST: what was created, and the HTTP status that says whether it is new."""

    content: M
    status: int

    def sent(self, response: Response) -> M:
        """The content, for an endpoint to return; the response gets the status."""
        response.status_code = self.status
        return self.content


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a key before, and the digest of the body it was used with."""

    body: bytes
    status: int
    response: Mapping[str, object]

    @classmethod
    def from_row(cls, row: Row[tuple[object, ...]]) -> Answer:
        """From a row of idempotency_keys."""
        return cls(bytes(row.body), row.status or 200, row.response or {})


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The key of one request, if it has one; `body` is the digest of what was sent with it."""

    key: str | None
    path: str
    body: bytes = b""

    def bound(self, body: bytes) -> IdempotencyKey:
        """The same key with the digest of a body."""
        return replace(self, body=body)

    def once(
        self, db: Connection, model: type[M], create: Callable[[Connection], Created[M]]
    ) -> Created[M]:
        """What `create` made, or the earlier answer to the same key and body.

        A second request with the key waits here until the first one's transaction ends. Raises 409
        where the key came with another body before.
        """
        if self.key is None:
            return create(db)
        earlier = _claim(db, self.key, self.path, self.body)
        if earlier is None:
            created = create(db)
            response = created.content.model_dump(mode="json")
            _remember(db, self.key, self.path, created.status, response)
            return created
        if earlier.body != self.body:
            raise ApiError(
                409,
                "idempotency_key_reused",
                f"the Idempotency-Key {_typed(self.key)!r} was used with another body: use a new "
                "one",
                "Idempotency-Key",
                {"x-should-retry": "false"},  # common clients retry 409
            )
        return Created(model.model_validate(earlier.response), earlier.status)


def _typed(key: str) -> str:
    """The key as it was typed: headers are read as Latin-1, and most clients write UTF-8."""
    try:
        return key.encode("latin-1").decode()
    except UnicodeError:
        return key


def digest(body: bytes) -> bytes:
    """sha256 of a request's body."""
    return hashlib.sha256(body).digest()


def forget_old(db: Connection, settings: Settings) -> None:
    """Delete keys that nobody will come back with."""
    age = text("make_interval(hours => :hours)").bindparams(hours=HOURS_KEPT)
    table = idempotency_keys
    old = select(table.c.key, table.c.path).where(table.c.created_at < func.now() - age)
    unlocked = old.with_for_update(skip_locked=True)
    db.execute(delete(table).where(tuple_(table.c.key, table.c.path).in_(unlocked)))


def _claim(db: Connection, key: str, path: str, body: bytes) -> Answer | None:
    """None when the key is now ours, otherwise the earlier answer."""
    created = db.execute(
        insert(idempotency_keys)
        .values(key=key, path=path, body=body)
        .on_conflict_do_nothing()
        .returning(idempotency_keys.c.key)
    ).one_or_none()
    if created is not None:
        return None
    row = db.execute(select(idempotency_keys).where(_is(key, path))).one()
    return Answer.from_row(row)


def _remember(
    db: Connection, key: str, path: str, status: int, response: Mapping[str, object]
) -> None:
    values = {"status": status, "response": dict(response)}
    db.execute(update(idempotency_keys).where(_is(key, path)).values(values))


def _is(key: str, path: str) -> ColumnElement[bool]:
    return (idempotency_keys.c.key == key) & (idempotency_keys.c.path == path)
