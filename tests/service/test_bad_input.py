"""Bad input: the envelope, the status, the field, and nothing stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from service.db.engine import normalize
from tests.service.live import Live
from tests.service.texts import samples

GOOD: dict[str, Any] = {
    "system": "x",
    "dataset": "bad-input",
    "samples": samples(2),
    "metrics": ["chrf"],
}
TABLES = ("datasets", "records", "evaluations", "outputs", "worker_requests", "idempotency_keys")


@pytest.fixture
def stored(database_url: str) -> Iterator[None]:
    """Fails when a test left a row or a job behind."""

    def count() -> dict[str, int]:
        engine = create_engine(normalize(database_url))
        with engine.connect() as db:
            names = (*TABLES, "procrastinate_jobs")
            found = {one: db.scalar(text(f"SELECT count(*) FROM {one}")) for one in names}  # noqa: S608
        engine.dispose()
        return found

    before = count()
    yield
    assert count() == before


def changed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (GOOD | changes).items() if value is not ...}


def sample(**changes: Any) -> list[dict[str, Any]]:
    """Two samples, the second one changed; ... removes a field."""
    first, second = samples(2)
    second = {name: value for name, value in (second | changes).items() if value is not ...}
    return [first, second]


CASES: dict[str, tuple[dict[str, Any], int, str, str]] = {
    # name: (body, status, param, a part of the message)
    "above this service's ceiling": (
        changed(metrics=["chrf", {"name": "pass_at_k", "params": {"timeout_s": 201}}]),
        422,
        "metrics[1].params.timeout_s",
        "timeout_s is 201, and this service allows 200 at most (ASSAY_SANDBOX_TIMEOUT_S)",
    ),
    "unknown metric": (changed(metrics=["bleuu"]), 422, "metrics[0].name", "'bleu'"),
    "unknown param": (
        changed(metrics=[{"name": "chrf", "params": {"word_ordr": 2}}]),
        422,
        "metrics[0].params.word_ordr",
        "word_order",
    ),
    "bad param": (
        changed(metrics=["bleu", {"name": "chrf", "params": {"char_order": "six"}}]),
        422,
        "metrics[1].params.char_order",
        "integer",
    ),
    "missing references": (
        changed(samples=sample(references=[])),
        422,
        "samples[1].references",
        "chrf needs references",
    ),
    "no samples": (changed(samples=[]), 422, "samples", "at least 1"),
    "no metrics": (changed(metrics=[]), 422, "metrics", "or a suite"),
    "duplicate ids": (changed(samples=sample(id="s0")), 422, "samples[1].id", "samples[0]"),
    "no output": (changed(samples=sample(output=...)), 422, "samples[1].output", "no output"),
    "two outputs": (changed(samples=sample(outputs=["a"])), 422, "samples[1]", "not both"),
    "unknown field": (changed(sample=[]), 422, "sample", "not permitted"),
    "unknown sample field": (
        changed(samples=sample(reference="x")),
        422,
        "samples[1].reference",
        "not permitted",
    ),
    "NUL": (changed(samples=sample(output="a\x00b")), 422, "samples[1].output", "position 1"),
    "NUL in metadata": (
        changed(samples=sample(metadata={"a": ["\x00"]})),
        422,
        "samples[1].metadata",
        "NUL",
    ),
    "no system": (changed(system=...), 422, "system", "name the system"),
    "nothing to score": (changed(samples=...), 422, "samples", "give samples"),
    "unknown dataset": (
        changed(samples=..., outputs={"1": "a"}, dataset="no-such-dataset"),
        422,
        "dataset",
        "no dataset",
    ),
    "samples into a fixed version": (changed(dataset="x@3"), 422, "dataset", "plain name"),
    "unknown model": (
        changed(metrics=[{"name": "perplexity", "params": {"model": "builtin/nothing"}}]),
        422,
        "metrics[0].params.model",
        "builtin/smollm2-135m-instruct",
    ),
    "model outside the roots": (
        changed(metrics=[{"name": "reward", "params": {"model": "/etc"}}]),
        422,
        "metrics[0].params.model",
        "allowed root",
    ),
    "model by dots": (
        changed(metrics=[{"name": "reward", "params": {"model": "../../etc"}}]),
        422,
        "metrics[0].params.model",
        "allowed root",
    ),
    "model to generate with": (
        changed(samples=[{"prompt": "hi", "references": ["ho"]}], model="builtin/nothing"),
        422,
        "model",
        "builtin/minilm-l6",
    ),
    "model without prompts": (
        changed(samples=[{"id": "1", "references": ["ho"]}], model="builtin/smollm2-135m-instruct"),
        422,
        "samples[0].prompt",
        "no prompt",
    ),
    "k > n": (
        changed(
            samples=[{"prompt": "def f():", "outputs": ["\n  return 1"], "tests": "f()"}],
            metrics=["chrf", {"name": "pass_at_k", "params": {"k": [1, 5]}}],
        ),
        422,
        "samples[0].references",
        "chrf needs",
    ),
    "k > n alone": (
        changed(
            samples=[{"prompt": "def f():", "outputs": ["\n  return 1"], "tests": "f()"}],
            metrics=[{"name": "pass_at_k", "params": {"k": [1, 5]}}],
        ),
        422,
        "metrics[0].params.k",
        "5",
    ),
    "greedy and several": (
        changed(
            samples=[{"prompt": "hi", "references": ["ho"]}],
            model="builtin/smollm2-135m-instruct",
            generation={"num_outputs": 4},
        ),
        422,
        "generation",
        "temperature",
    ),
    "community metric outside the roots": (
        changed(metrics=["evaluate//etc"]),
        422,
        "metrics[0].name",
        "root",
    ),
    "replicates": (changed(replicates=5), 422, "replicates", "100"),
}


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("name", CASES)
def test_refused(live: Live, name: str) -> None:
    body, status, param, part = CASES[name]
    answer = httpx.post(f"{live.base}/v1/evaluations", json=body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["param"] == param, error
    assert part in error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["code"]
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b'{"system": ', "application/json", 400, "invalid_json"),
        (b"system=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (json.dumps(GOOD).encode(), "text/plain", 415, "unsupported_media_type"),
        (b"\xff\xfe", "application/json", 400, "invalid_json"),
        (b"[]", "application/json", 422, None),
        (b"", "application/json", 422, None),
        (b"[" * 100_000, "application/json", 400, "invalid_json"),
    ],
    ids=["cut", "form", "text", "bytes", "list", "empty", "deep"],
)
def test_bodies(live: Live, content: bytes, kind: str, status: int, code: str | None) -> None:
    url = f"{live.base}/v1/evaluations"
    answer = httpx.post(url, content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    if code is not None:
        assert answer.json()["error"]["code"] == code


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_over_the_limit(live: Live, streamed: bool) -> None:
    big = b'{"system": "' + b"x" * 3_500_000 + b'"}'
    content: Any = iter([big[at : at + 65536] for at in range(0, len(big), 65536)])
    url = f"{live.base}/v1/evaluations"
    headers = {"content-type": "application/json"}
    answer = httpx.post(url, content=content if streamed else big, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"n": 2**64}, "integer_too_large"),
        ({"n": [-(2**63) - 1]}, "integer_too_large"),
        ({"n": json.loads("[" * 80 + "]" * 80)}, "too_deep"),
    ],
)
def test_metadata_that_cannot_be_stored(live: Live, metadata: dict[str, Any], code: str) -> None:
    answer = httpx.post(
        f"{live.base}/v1/evaluations", json=changed(samples=sample(metadata=metadata))
    )
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["param"] == "samples[1].metadata"


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/evaluations/a%00b", 422),
        ("/v1/evaluations?system=%00", 422),
        ("/v1/datasets?after=%00", 422),
        ("/v1/datasets/name@%C2%B2", 404),  # a digit to Python, and no number
        ("/v1/datasets/name@99999999999999999999", 404),
        ("/v1/leaderboards/x%00?metric=bleu", 422),
        ("/v1/datasets?limit=0", 422),
        ("/v1/datasets?limit=many", 422),
        ("/v1/datasets?order=sideways", 422),
    ],
)
def test_odd_paths_and_queries(live: Live, path: str, status: int) -> None:
    answer = httpx.get(f"{live.base}{path}")
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) - {"errors"} == {"type", "code", "message", "param"}
    assert answer.headers["x-request-id"]


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("name", ["ds_mine", "news@2", "me@home"])
def test_names_that_would_be_read_as_something_else(live: Live, name: str) -> None:
    answer = httpx.post(f"{live.base}/v1/datasets", json={"name": name, "records": [{"id": "a"}]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "name")


@pytest.mark.usefixtures("stored")
def test_a_lone_surrogate_as_an_id(live: Live) -> None:
    """It is quoted in the error about it, which is JSON in UTF-8 all the same."""
    body = json.dumps(changed(samples=..., outputs={"a\ud800b": "x"}))
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{live.base}/v1/evaluations", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] in {"lone_surrogate", "string_unicode"}


@pytest.mark.usefixtures("stored")
def test_a_lone_surrogate(live: Live) -> None:
    body = json.dumps(changed(samples=sample(output="a\ud800b")))
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{live.base}/v1/evaluations", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "samples[1].output"
    assert "surrogate" in answer.json()["error"]["message"]


@pytest.mark.parametrize("room", ["evaluations", "training_jobs"])
def test_numbers_of_events_that_no_event_has(live: Live, room: str) -> None:
    """Beyond what the database's column holds, too."""
    url = f"{live.base}/v1/{room}/eval_nothing/events"
    for number in (2**31, 2**63, 10**30, -1):
        answer = httpx.get(url, params={"after": number})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "after")
        answer = httpx.get(url, headers={"Last-Event-ID": str(number)})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "Last-Event-ID")
    assert httpx.get(url, params={"after": 2**31 - 1}).status_code == 404


def test_outputs_for_unknown_and_for_missing_records(live: Live) -> None:
    records = [{"id": "a", "references": ["x"]}, {"id": "b", "references": ["y"]}]
    made = {"name": "two-records", "records": records}
    assert httpx.post(f"{live.base}/v1/datasets", json=made).status_code in {200, 201}
    url = f"{live.base}/v1/evaluations"
    body = changed(samples=..., dataset="two-records", outputs={"a": "1", "b": "2", "z": "3"})
    answer = httpx.post(url, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "outputs.z")
    answer = httpx.post(url, json=body | {"outputs": {"a": "1"}})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "outputs")
    assert "'b'" in answer.json()["error"]["message"]


def test_what_is_not_there(live: Live) -> None:
    for path, code in [
        ("/v1/evaluations/eval_nothing", "evaluation_not_found"),
        ("/v1/evaluations/eval_nothing/samples", "evaluation_not_found"),
        ("/v1/evaluations/eval_nothing/events", "evaluation_not_found"),
        ("/v1/datasets/nothing", "dataset_not_found"),
        ("/v1/leaderboards/nothing?metric=chrf", "dataset_not_found"),
        ("/v1/metrics/bleuu", "unknown_metric"),
        ("/v1/nothing", "not_found"),
    ]:
        answer = httpx.get(f"{live.base}{path}")
        assert answer.status_code == 404, path
        assert answer.json()["error"]["code"] == code
    answer = httpx.put(f"{live.base}/v1/evaluations")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_score_refuses_the_same_things(live: Live, tmp_path: Path) -> None:
    for body, param in [
        ({"metrics": ["chrff"], "samples": samples(1)}, "metrics[0].name"),
        ({"metrics": ["chrf"], "samples": []}, "samples"),
        ({"metrics": ["chrf"], "samples": [{"output": "a"}]}, "samples[0].references"),
        ({"metrics": ["chrf"], "samples": [{"references": ["a"]}]}, "samples[0].output"),
        (
            {
                "metrics": [{"name": "reward", "params": {"model": str(tmp_path)}}],
                "samples": samples(1),
            },
            "metrics[0].params.model",
        ),
    ]:
        answer = httpx.post(f"{live.base}/v1/score", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] == param
