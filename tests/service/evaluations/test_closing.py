"""Closing an evaluation: what one metric breaks stays with that metric."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from service.evaluations import closing as close
from service.evaluations import shards
from service.evaluations.plans import Plan
from service.evaluations.store import Evaluation
from service.jobs.context import Context
from service.models.resources import Resources


@pytest.fixture
def closing(engine: Engine) -> close.Closing:
    resources = SimpleNamespace(engine=engine, settings=SimpleNamespace(metric_roots=()))
    context = Context(cast(Resources, resources))
    row = SimpleNamespace(id="eval_x", level=0.95, seed=0, replicates=100)
    return close.Closing(context, cast(Evaluation, row), ["a", "b"], {0: 1, 1: 1}, {})


def test_an_error_nobody_foresaw_is_one_metrics_own(
    closing: close.Closing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(rows: Any) -> Any:
        raise ZeroDivisionError("private")

    monkeypatch.setattr(shards, "joined", broken)
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

    monkeypatch.setattr(shards, "joined", lost)
    with pytest.raises(OperationalError):
        closing.conclude(Plan(0, "chrf", {}, None, {"name": "chrf"}, None))
