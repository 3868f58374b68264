"""Unknown query parameters and cursors are errors, whatever the route."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.service.live import Live
from tests.service.texts import samples

LISTS = ("evaluations", "datasets", "training_jobs")


def test_every_route_refuses_a_parameter_that_it_does_not_have(live: Live) -> None:
    schema: dict[str, Any] = httpx.get(f"{live.base}/openapi.json").json()
    tried = 0
    for path, methods in schema["paths"].items():
        url = live.base + re.sub(r"{\w+}", "nothing", path)
        for method in methods:
            needed = {"metric": "chrf", "name": "x", "format": "csv"}
            parameters = methods[method].get("parameters", [])
            declared = {one["name"] for one in parameters if one["in"] == "query"}
            query = {name: value for name, value in needed.items() if name in declared}
            answer = httpx.request(
                method,
                url,
                params=query | {"sytem": "x"},
                json={}
                if method == "post" and not path.endswith(("/upload", "/archives", "/imports"))
                else None,
            )
            error = answer.json()["error"]
            refused = 400 if path.startswith("/openai/") else 422  # as OpenAI's own API does
            assert answer.status_code == refused, (method, path, answer.text)
            if error["param"] != "sytem":  # the empty body was read first
                assert method == "post"
                continue
            assert error["code"] == "unknown_parameter"
            tried += 1
    assert tried > 20


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/v1/evaluations?sytem=x", "did you mean 'system'"),
        ("/v1/datasets?Name=x", "did you mean 'name'"),
        ("/v1/leaderboards/x?metric=chrf&slise=a", "did you mean 'slice'"),
        ("/v1/leaderboards?metric=chrf", "it has none"),
        ("/v1/evaluations/x/events?afetr=1", "did you mean 'after'"),
    ],
)
def test_the_nearest_parameter_is_named(live: Live, path: str, nearest: str) -> None:
    error = httpx.get(live.base + path).json()["error"]
    assert error["code"] == "unknown_parameter"
    assert nearest in error["message"]


@pytest.mark.parametrize("room", LISTS)
def test_a_cursor_that_is_none_of_the_list(live: Live, room: str) -> None:
    record = {"name": "cursors", "records": [{"id": "a"}]}
    other = httpx.post(f"{live.base}/v1/datasets", json=record).json()["id"]
    body = {"system": "x", "dataset": "c", "samples": samples(1), "metrics": ["chrf"]}
    evaluation = httpx.post(f"{live.base}/v1/evaluations", json=body).json()["id"]
    wrong = evaluation if room == "datasets" else other
    for cursor in ("nonsense", wrong, ""):
        answer = httpx.get(f"{live.base}/v1/{room}", params={"after": cursor})
        assert answer.status_code == 422, (cursor, answer.text)
        error = answer.json()["error"]
        assert (error["code"], error["param"]) == ("unknown_cursor", "after")
    right = {"datasets": other, "evaluations": evaluation}.get(room)
    if right is not None:
        answer = httpx.get(f"{live.base}/v1/{room}", params={"after": right})
        assert answer.status_code == 200


def test_a_number_after_the_last_event(live: Live) -> None:
    body = {"system": "x", "dataset": "c", "samples": samples(1), "metrics": ["chrf"]}
    url = f"{live.base}/v1/evaluations"
    made = httpx.post(url, json=body, headers={"Prefer": "wait=30"}, timeout=40).json()
    events = f"{url}/{made['id']}/events"
    last = httpx.get(events).json()["data"][-1]["id"]
    assert httpx.get(events, params={"after": last}).json()["data"] == []
    answer = httpx.get(events, params={"after": last + 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unknown_cursor")
