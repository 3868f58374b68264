"""Annotators whose votes are to be left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from sqlalchemy import Connection

from metrics.core.names import hint
from service.annotation import annotators_store
from service.errors import invalid

Exclude = Annotated[
    str | None,
    Query(
        max_length=10_000,
        description="ids of annotators whose votes are left out, with commas between them",
    ),
]


def named(db: Connection, project: str, given: str | None) -> frozenset[str]:
    """Those of a query's `exclude`. Raises 422 where one is none of the project's."""
    ids = [one.strip() for one in (given or "").split(",")]
    return known(db, project, [one for one in ids if one], "exclude")


def known(db: Connection, project: str, ids: Sequence[str], param: str) -> frozenset[str]:
    """The ids. Raises 422, naming `param`, where one is none of the project's."""
    there = annotators_store.ids(db, project) if ids else set()
    for one in ids:
        if one not in there:
            message = f"{param}: the project has no annotator {one!r}; {hint(one, sorted(there))}"
            raise invalid("unknown_annotator", message, param)
    return frozenset(ids)
