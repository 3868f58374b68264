"""schemathesis reaches every operation, and finds what the OpenAPI document does not promise."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzzing.known import Known, fill
from tests.service.live import Live

CHECKS = [
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
]
EXAMPLES = 12  # an operation


@pytest.fixture(scope="module")
def known(live: Live, database_url: str, data_dir: Path) -> Known:
    return fill(live.base, database_url, data_dir / "fuzzed-checkpoint")


def place(case: Any, known: Known, random: Random) -> None:
    """Real ids, and bodies that are accepted, in three of four requests."""
    if random.random() < 0.25:
        return
    for name in case.path_parameters or {}:
        case.path_parameters[name] = random.choice(known.paths[name])
    for name in set(case.query or {}) & set(known.queries):
        case.query[name] = random.choice(known.queries[name])
    kind = case.operation.body[0] if len(case.operation.body) else None
    reference = kind.definition.get("schema", {}).get("$ref", "") if kind is not None else ""
    examples = known.bodies.get(reference.rpartition("/")[2])
    if examples:
        case.body = random.choice(examples)


def test_every_operation(live: Live, known: Known) -> None:
    schema: Any = schemathesis.openapi.from_url(f"{live.base}/openapi.json")
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]
    answered: dict[str, Counter[int]] = defaultdict(Counter)
    for operation in operations:
        ask(live.base, operation, known, answered[operation.label])
    assert len(operations) > 30
    never = {name: dict(seen) for name, seen in answered.items() if min(seen) >= 300}
    assert not never


def ask(base: str, operation: Any, known: Known, statuses: Counter[int]) -> None:
    random = Random(0)

    @seed(0)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def once(case: Any) -> None:
        place(case, known, random)
        case.headers = {**(case.headers or {}), "prefer": "wait=0"}
        answer = case.call(base_url=base, timeout=60)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    once()
