"""schemathesis reaches every operation, and finds what the OpenAPI document does not promise."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import trainers
from tests.fuzzing.known import Known, fill
from tests.service.live import Live
from tests.service.texts import samples

pytestmark = pytest.mark.usefixtures("at_rest")

CHECKS = [
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
]
EXAMPLES = 6  # an operation
OF_VOTED = tuple(  # of a project that nobody deletes
    f"{{project}}/{name}" for name in ("export", "study", "skips", "imports")
)
OF_MEASURED = (
    *("/best", "/archive", "/audit", "/every_eval_ever"),
    *("/transcripts", "/judge_report"),
)

QUERIES: dict[str, dict[str, Any]] = {  # without which nothing is reached
    "/v1/annotation_projects/imports": {"name": "fuzzed", "mapping": ""},
    "/v1/annotation_projects/{project}/imports": {"mapping": ""},
    "/v1/checkpoints/{checkpoint}/download": {"form": "merged"},
    "/v1/datasets/upload": {"name": "fuzzed", "format": "csv"},
    "/v1/imports": {"system": "fuzzed", "format": "csv", "scores": ["acc"]},
    "/v1/pareto/{dataset}": {"metric": ["chrf", "length"]},
    "/get_reward": {"metric": "chrf", "score": "chrf", "end": ["<end>"], "params": "{}"},
}
FILES = {
    "/v1/annotation_projects/imports": b"model_a,model_b,winner\none,two,tie\n",
    "/v1/annotation_projects/{project}/imports": (
        b"prompt,model_a,model_b,output_a,output_b,winner\nHi?,x,y,Hi!,Ho!,a\n"
    ),
    "/v1/datasets/upload": b"prompt\nHi?\n",
    "/v1/imports": b"id,acc\n1,0.5\n",
}


@pytest.fixture(scope="module")
def known(
    live: Live,
    database_url: str,
    data_dir: Path,
    tiny_judge: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Known:
    found = fill(live.base, database_url, data_dir / "fuzzed-checkpoint")
    asked = [{"prompt": "Hi?", **one} for one in samples(4)]
    with live.client() as client:  # one whose outputs are stored with what was measured of them
        judge: dict[str, Any] = {"name": "judge", "params": {"model": tiny_judge.name}}
        metrics: list[str | dict[str, Any]] = ["chrf", "length", judge]
        made = client.evaluate(system="six", dataset="measured", samples=asked, metrics=metrics)
        client.wait(made.id, timeout=60)
        archive = client.archive(made.id, tmp_path_factory.mktemp("archives") / "measured.zip")
        graded = [one | {"metadata": {"grade": at % 5}} for at, one in enumerate(samples(24))]
        rated = client.evaluate(system="six", dataset="rated", samples=graded, metrics=["chrf"])
        client.wait(rated.id, timeout=60)
        fit = {"name": "rated", "evaluation": rated.id, "score": "chrf", "ratings": "grade"}
        client.create_calibration("rated", rated.id, "chrf", ratings="grade")
    found.bodies["CalibrationIn"] = [fit]
    found.bodies["MetaEvaluationIn"] = [{"evaluations": [rated.id], "ratings": "grade"}]
    found.paths["measured"] = [made.id]
    found.bodies["DefinedBoardIn"] = [
        {"name": "asked", "parts": [{"dataset": "measured", "score": "chrf"}]}
    ]
    found.bodies["ControlsIn"] = [{"metrics": ["chrf"]}]
    found.paths["file"] = [str(archive)]
    return found


def place(case: Any, known: Known, examples: list[Any], random: Random) -> None:
    """Real ids, and bodies that are accepted, in three of four requests."""
    if "dry_run" in (case.query or {}):
        case.query["dry_run"] = "false"  # true starts a process
    if random.random() < 0.25:
        return
    for name in case.path_parameters or {}:
        measured = case.operation.path.endswith(OF_MEASURED)
        case.path_parameters[name] = random.choice(known.paths["measured" if measured else name])
    if "{battle}" in case.operation.path:
        case.path_parameters["arena"] = known.paths["fought"][0]
    if case.operation.path == "/v1/trainers/{name}":
        case.path_parameters["name"] = random.choice([*trainers.catalogue()])
    if case.operation.path.endswith(OF_VOTED):
        case.path_parameters["project"] = known.paths["voted"][0]
    if case.operation.path.startswith("/openai/"):
        case.path_parameters = dict.fromkeys(case.path_parameters or {}, "tiny-language")
    if case.operation.path.startswith("/v1/pareto/"):
        case.path_parameters["dataset"] = "measured"
    for name in set(case.query or {}) & set(known.queries):
        case.query[name] = random.choice(known.queries[name])
    case.query = {**(case.query or {}), **QUERIES.get(case.operation.path, {})}
    case.body = FILES.get(case.operation.path, case.body)
    if case.operation.path.endswith("/archives"):
        case.body = Path(known.paths["file"][0]).read_bytes()
    if examples:
        case.body = random.choice(examples)


def without_tuples(schema: Any) -> Any:
    """Lists in place of pairs: schemathesis refuses `prefixItems` deep in an answer's schema."""
    if isinstance(schema, dict):
        made = {key: without_tuples(value) for key, value in schema.items() if key != "prefixItems"}
        if "prefixItems" in schema:
            made["items"] = {"anyOf": without_tuples(schema["prefixItems"])}
        return made
    return [without_tuples(one) for one in schema] if isinstance(schema, list) else schema


@pytest.mark.slow
def test_every_operation(live: Live, known: Known) -> None:
    document = httpx.get(f"{live.base}/openapi.json").json()
    schema: Any = schemathesis.openapi.from_dict(without_tuples(document))
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]
    answered: dict[str, Counter[int]] = defaultdict(Counter)
    for operation in operations:
        method, path = operation.label.split()
        body = document["paths"][path][method.lower()].get("requestBody", {}).get("content", {})
        reference = body.get("application/json", {}).get("schema", {}).get("$ref", "")
        examples = known.bodies.get(reference.rpartition("/")[2], [])
        ask(live.base, operation, known, examples, answered[operation.label])
    assert len(operations) > 30
    never = {name: dict(seen) for name, seen in answered.items() if min(seen) >= 300}
    assert not never


def ask(
    base: str, operation: Any, known: Known, examples: list[Any], statuses: Counter[int]
) -> None:
    random = Random(operation.label)

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
        place(case, known, examples, random)
        case.headers = {**(case.headers or {}), "prefer": "wait=0"}
        if case.operation.path.startswith("/v1/annotate/"):
            case.headers["authorization"] = f"Bearer {known.token}"
        answer = case.call(base_url=base, timeout=60)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    once()
