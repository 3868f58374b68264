"""Closing an evaluation: what one metric breaks stays with that metric."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from service.evaluations import closing as close
from service.evaluations.store import Plan
from service.http import idempotency
from service.jobs.context import Context, Resources
from service.scoring import store as score_requests


@pytest.fixture
def closing(engine: Engine) -> close.Closing:
    resources = SimpleNamespace(engine=engine, settings=SimpleNamespace(metric_roots=()))
    context = Context(cast(Resources, resources))
    row = SimpleNamespace(id="eval_x", level=0.95, seed=0, replicates=100)
    return close.Closing(context, row, ["a", "b"], {0: 1, 1: 1}, {})


def test_an_error_nobody_foresaw_is_one_metrics_own(
    closing: close.Closing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(rows: Any) -> Any:
        raise ZeroDivisionError("private")

    monkeypatch.setattr(close, "joined", broken)
    closing.conclude(Plan(0, "chrf", {}, None, {"name": "chrf"}, None))
    (row,) = closing.rows
    assert row["value"] is None
    assert "ZeroDivisionError" in row["error"]["message"]
    assert "private" not in row["error"]["message"]
    assert closing.packed == {}


def test_a_lost_database_is_worth_another_attempt(
    closing: close.Closing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(rows: Any) -> Any:
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(close, "joined", lost)
    with pytest.raises(OperationalError):
        closing.conclude(Plan(0, "chrf", {}, None, {"name": "chrf"}, None))


def test_what_nobody_comes_back_for_is_forgotten(engine: Engine) -> None:
    with engine.begin() as db:
        for key in ("old", "new"):
            assert idempotency.claim(db, key, "/v1/evaluations", b"body") is None
        ids = {age: score_requests.add(db, b"group", {}) for age in ("old", "new")}
        earlier = "created_at = now() - interval '3 days'"
        db.execute(text(f"UPDATE idempotency_keys SET {earlier} WHERE key = 'old'"))  # noqa: S608
        db.execute(
            text(f"UPDATE score_requests SET {earlier} WHERE id = :id"),  # noqa: S608
            {"id": ids["old"]},
        )
    with engine.begin() as db:
        idempotency.purge(db)
        score_requests.purge(db)
        assert list(db.scalars(text("SELECT key FROM idempotency_keys"))) == ["new"]
        assert list(db.scalars(text("SELECT id FROM score_requests"))) == [ids["new"]]
