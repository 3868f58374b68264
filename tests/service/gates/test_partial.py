"""What a sequential gate says while its candidate is being measured."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, Engine

from inference.protocol import NoModels
from metrics import find
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.signature import parts
from service.evaluations import outputs, plans, shards
from service.evaluations import store as evaluations
from service.gates import store as gates
from service.gates.checks import check
from service.gates.schemas import GateIn
from service.settings import Settings
from tests.known import known
from tests.service.stored import create, succeed

RECORDS: list[dict[str, Any]] = [
    {
        "id": str(at + 1),
        "prompt": "?",
        "references": ["yes"],
        "metadata": {"page": at // 4, "lang": "ru"},
    }
    for at in range(40)
]
FIRST = 30  # samples of the first shard: seven pages and a half


@pytest.fixture
def settings(fresh_url: str) -> Settings:
    return Settings(database_url=SecretStr(fresh_url))


def begun(db: Connection) -> str:
    """An evaluation of which the first shard is measured; each of its answers is wrong."""
    made = create(db, "new", RECORDS, ["exact_match"])
    metric = find("exact_match").bind()
    outputs.add(db, made, [(at, ["no"]) for at in range(FIRST)])
    items, _ = items_of([Sample.of(one, ["no"]) for one in RECORDS[:FIRST]])
    signature = parts(metric, NoModels())
    plans.complete(db, made, 0, resolved=metric.dump(), signature=signature)
    shards.create(db, made, len(RECORDS), FIRST)
    shards.keep(db, made, 0, 0, evidence=measure(metric, items, NoModels()).encode())
    return made


def test_clusters_of_a_slice_count_once_they_are_complete(
    engine: Engine, settings: Settings
) -> None:
    rules = [{"score": "exact_match", "max_drop": 0.1}]
    rules.append(rules[0] | {"slice": "lang=ru"})
    with engine.begin() as db:
        baseline = create(db, "old", RECORDS, ["exact_match"])
        succeed(db, baseline, RECORDS, ["exact_match"], words=1)
        candidate = known(evaluations.get(db, begun(db)))
        asked: dict[str, Any] = {"name": "pages", "baseline": baseline, "dataset": "votes"}
        gate, _ = gates.put(db, GateIn(**asked, rules=rules, cluster="page", sequential=True))
        whole, part = check(db, settings, gate, candidate).rules
    assert (whole.n, whole.clusters, whole.error) == (FIRST, 8, None)
    assert part == whole.model_copy(update={"slice": "lang=ru"})  # all samples are of the slice
