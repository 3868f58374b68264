"""What goes into the database comes out, or is refused; nothing a model writes stops it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from service.db.engine import normalize
from service.db.tables import events


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\x00b", "a\ufffdb"),
        ("\\\x00", "\\\ufffd"),
        ("spelled \\u0000", "spelled \\u0000"),
        ("Ёж 🦔", "Ёж 🦔"),
        (float("nan"), None),
    ],
)
def test_json_that_postgresql_would_refuse(engine: Engine, given: Any, kept: Any) -> None:
    row = {"parent": "x", "sequence": 1, "type": "t", "data": {"text": given}}
    with engine.begin() as db:
        db.execute(insert(events).values(row))
        assert db.scalar(select(events.c.data)) == {"text": kept}


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValueError, match="PostgreSQL"):
        normalize("sqlite:///x.db")
