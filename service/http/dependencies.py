"""What endpoints ask for: a transaction, the settings, idempotency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy import Connection

from service.errors import ApiError
from service.http import idempotency
from service.settings import Settings


def _settings(request: Request) -> Settings:
    found: Settings = request.app.state.settings
    return found


def _transaction(request: Request) -> Iterator[Connection]:
    """One transaction around the endpoint, committed before the answer is sent."""
    with request.app.state.engine.begin() as db:
        yield db


async def _body(request: Request) -> bytes:
    return await request.body()


CurrentSettings = Annotated[Settings, Depends(_settings)]
Transaction = Annotated[Connection, Depends(_transaction, scope="function")]


class Once:
    """One `Idempotency-Key`: the earlier answer if there is one, and where to put ours."""

    def __init__(self, db: Connection, key: str | None, path: str, body: bytes) -> None:
        self.db = db
        self.key = key
        self.path = path
        self.answer = idempotency.claim(db, key, path, body) if key else None
        if self.answer is not None and not self.answer.same_body:
            raise ApiError(
                409,
                "idempotency_key_reused",
                f"the Idempotency-Key {key!r} was used with another body; use a new key",
                "Idempotency-Key",
                {"x-should-retry": "false"},  # common clients retry 409
            )

    def remember(self, status: int, response: BaseModel) -> None:
        if self.key:
            shown = response.model_dump(mode="json")
            idempotency.remember(self.db, self.key, self.path, status, shown)


def idempotent(
    request: Request,
    db: Transaction,
    body: Annotated[bytes, Depends(_body)],
    key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)] = None,
) -> Once:
    return Once(db, key, request.url.path, body)


Idempotent = Annotated[Once, Depends(idempotent, scope="function")]
