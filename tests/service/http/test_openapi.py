"""The OpenAPI document tells the truth: what is accepted, every status, every method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from assay import Client
from tests.service.live import Live
from tests.service.texts import samples
from trainers import catalogue


@pytest.fixture(scope="module")
def document(assay: Client) -> dict[str, Any]:
    found: dict[str, Any] = assay.request("GET", "/openapi.json")
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def answers(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method.lower()]["responses"]
    return found


@pytest.mark.parametrize("body", ["EvaluationIn", "ScoreIn", "HeldOutIn"])
def test_a_metric_may_be_a_name(document: dict[str, Any], body: str) -> None:
    items = document["components"]["schemas"][body]["properties"]["metrics"]["items"]
    assert {one.get("type") or one["$ref"].rpartition("/")[2] for one in items["anyOf"]} == {
        "string",
        "MetricIn",
    }


def integers(
    document: dict[str, Any], schema: Any, at: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every integer of a schema, and where it is."""
    if isinstance(schema, list):
        for one in schema:
            yield from integers(document, one, at)
    elif isinstance(schema, dict):
        if schema.get("type") == "integer":
            yield at, schema
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            yield from integers(document, document["components"]["schemas"][name], name)
        for key, inner in schema.items():
            if isinstance(inner, dict | list) and key not in {"examples", "default"}:
                yield from integers(document, inner, f"{at}.{key}")


def test_every_integer_has_a_maximum(document: dict[str, Any]) -> None:
    """Beyond 64 bits neither the database nor an answer holds one."""
    found: dict[str, dict[str, Any]] = {}
    for method, path, operation in operations(document):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        asked = [*operation.get("parameters", []), body]
        found |= dict(integers(document, asked, f"{method} {path}"))
    for trainer in catalogue().values():
        schema = trainer.options.model_json_schema()
        inner = {"components": {"schemas": schema.pop("$defs", {})}}
        found |= dict(integers(inner, schema, trainer.name))
    assert "ResourcesIn.properties.keep_last.anyOf" in found
    assert "sft.properties.batch_size" in found
    bounded = {at for at, one in found.items() if {"maximum", "exclusiveMaximum"} & set(one)}
    free = "chat_template_kwargs"  # as JSON is, of 64 bits
    assert [at for at in found if at not in bounded and free not in at] == []


@pytest.mark.parametrize(
    ("block", "name"),
    [
        ("resources", "keep_last"),
        ("evaluation", "keep_last"),
        ("evaluation", "patience"),
        ("validation", "eval_steps"),
    ],
)
def test_an_integer_beyond_64_bits_is_refused(live: Live, block: str, name: str) -> None:
    inner = {"dataset": "x", "metrics": ["chrf"], "select_by": "chrf"}
    known: dict[str, dict[str, Any]] = {"evaluation": inner, "validation": {"dataset": "x"}}
    body: dict[str, Any] = {"method": "sft", "model": "x", "dataset": "x"}
    body[block] = known.get(block, {}) | {name: 2**64}
    answer = httpx.post(f"{live.base}/v1/training_jobs", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == f"{block}.{name}"


def test_every_status_of_what_is_created(live: Live, document: dict[str, Any]) -> None:
    records = {"name": "twice", "records": [{"id": "a", "references": ["x"]}]}
    url = f"{live.base}/v1/datasets"
    assert [httpx.post(url, json=records).status_code for _ in range(2)] == [201, 200]
    upload = f"{url}/upload?name=twice-uploaded&format=csv"
    kind = {"content-type": "text/csv"}
    statuses = [httpx.post(upload, content=b"prompt\nx\n", headers=kind).status_code for _ in "ab"]
    assert statuses == [201, 200]
    body = {"system": "x", "dataset": "waited", "samples": samples(2), "metrics": ["chrf"]}
    evaluations = f"{live.base}/v1/evaluations"
    assert httpx.post(evaluations, json=body).status_code == 202
    waited = httpx.post(evaluations, json=body, headers={"prefer": "wait=60"}, timeout=70)
    assert waited.status_code == 200
    for path, statuses in [
        ("/v1/datasets", [201, 200]),
        ("/v1/datasets/upload", [201, 200]),
        ("/v1/evaluations", [202, 200]),
    ]:
        documented = answers(document, "POST", path)
        for status in statuses:
            schema = documented[str(status)]["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith("Out")


def test_errors_are_documented(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status in ("4XX", "503"):
            content = operation["responses"][status]["content"]["application/json"]
            assert content["schema"]["$ref"].endswith("/ErrorOut"), (method, path)
        assert "Retry-After" in operation["responses"]["503"]["headers"]


def test_content_has_a_schema(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert all(one.get("schema") for one in answer["content"].values()), (path, status)
        names = [one["name"].lower() for one in operation.get("parameters", [])]
        assert not {"accept", "content-type"} & set(names), (method, path)  # OpenAPI ignores them


def test_operations_are_named_after_what_they_do(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert {"create_evaluation", "upload_dataset", "list_checkpoints"} <= set(ids)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/evaluations", {"GET", "POST"}),
        ("DELETE", "/v1/datasets", {"GET", "POST"}),
        ("DELETE", "/v1/datasets/upload", {"GET", "POST"}),  # a dataset of that name, and uploads
        ("PATCH", "/v1/evaluations/eval_x", {"GET"}),
        ("GET", "/v1/evaluations/eval_x/cancel", {"POST"}),
        ("POST", "/v1/leaderboards", {"GET"}),
        ("DELETE", "/healthz", {"GET"}),
    ],
)
def test_allow_lists_every_method(live: Live, method: str, path: str, allowed: set[str]) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx.request(method, f"{live.base}{path}", headers=headers)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    assert answer.json()["error"]["code"] == "method_not_allowed"
