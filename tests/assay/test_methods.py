"""The two clients have the same methods, and these cover what the service offers."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from types import FunctionType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from assay import AssayError, AsyncClient, Client, endpoints
from assay.models import Answer
from tests.assay.failing import Asked, answering, error
from tests.service.live import Live

ANYTHING = {"request", "events_of"}  # for what has no method of its own

# Routes without a method: they are for those who run the service, and for clients of others, which
# know them by OpenAI's and OpenRLHF's protocols
NO_METHOD = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/get_reward"),
    ("POST", "/get_reward/{reward}"),
    ("GET", "/openai/v1/models"),
    ("GET", "/openai/v1/models/{model}"),
    ("POST", "/openai/v1/chat/completions"),
    ("POST", "/openai/v1/completions"),
    ("POST", "/openai/v1/embeddings"),
    ("POST", "/openai/tokenize"),
    ("POST", "/openai/detokenize"),
    ("POST", "/openai/of/{model}/v1/completions"),
    ("POST", "/openai/of/{model}/tokenize"),
    ("POST", "/openai/of/{model}/detokenize"),
    ("GET", "/openai/of/{model}/tokenizer_info"),
}

# Fields without a parameter
NO_PARAMETER = {
    ("GET", "after"),  # a list's next page begins there: the client turns the pages
    ("GET", "offset"),
    ("POST", "evaluation"),  # of `power`: two are `evaluations`
    ("POST", "test"),  # of `compare`, which hands on whatever it is given
    ("POST", "recipe"),
    ("POST", "correction"),
    ("POST", "trials"),
    ("GET", "format"),  # of answers that are files, not objects
    ("POST", "format"),
}

# Answers whose names in the service's schema are neither the client's nor the client's with "Out"
NAMES = {
    "ComparisonResult": "ResultOut",
    "Design": "DesignOut",
    "GateCheck": "CheckOut",
    "GateRule": "RuleOut",
    "Metric": "MetricInfo",
    "SetScore": "ScoredOut",
    "SetScores": "ScoresOut",
    "TrainingJob": "TrainingOut",
    "TrainingMetrics": "SeriesOut",
}
# Fields that the client does not show: none is there in a stream, or the caller has named them
NOT_SHOWN = {
    "Event": {"created_at"},
    "Comparison": {"a", "b", "system_a", "system_b", "test", "recipe", "correction", "trials"},
}


def methods(client: type[Client | AsyncClient]) -> dict[str, Callable[..., Any]]:
    found = inspect.getmembers(client, inspect.isfunction)
    return {name: method for name, method in found if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    sync, other = methods(Client), methods(AsyncClient)
    assert set(sync) == set(other)
    for name, method in sync.items():
        assert inspect.signature(method) == inspect.signature(other[name]), name
        assert inspect.getdoc(method) == inspect.getdoc(other[name]), name
        assert method.__name__ == other[name].__name__ == name
    assert inspect.signature(Client) == inspect.signature(AsyncClient)


def test_every_endpoint_is_a_method() -> None:
    modules = [getattr(endpoints, name) for name in endpoints.__all__]
    written = {
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }
    helpers = {"several", "_given", "_job", "_pair"}
    assert written - helpers == set(methods(Client)) - {"close"}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    """What every method asks when each of its parameters is given."""
    file = tmp_path_factory.mktemp("methods") / "rows.jsonl"
    file.write_text("{}\n")
    given: dict[str, object] = {
        "after": 1,
        "at_least": 0.5,
        "controls": True,
        "folder": file.parent / "new",
        "format": "jsonl",
        "generation": {},
        "level": 0.9,
        "limit": 1,
        "mapping": {"x": "prompt"},
        "metrics": ["x"],
        "outputs": {},
        "parts": [{}],
        "path": file,
        "progress": None,
        "records": [],
        "replicates": 1,
        "rewards": [{}],
        "samples": [],
        "seed": 1,
        "slices": ["x"],
        "timeout": 1.0,
        "wait": 1.0,
    }
    with answering(error(404)) as server, Client(server.url) as client:
        for name in set(methods(Client)) - ANYTHING - {"close"}:
            method = getattr(client, name)
            parameters = inspect.signature(method).parameters.values()
            named = {one.name: one for one in parameters if one.kind is not one.VAR_KEYWORD}
            with pytest.raises(AssayError):
                list(method(**{key: given.get(key, "x") for key in named}))  # some ask when read
    return server.asked


@pytest.fixture(scope="module")
def schema(live: Live) -> dict[str, Any]:
    with live.client() as client:
        found: dict[str, Any] = client.request("GET", "/openapi.json")
        return found


def routes(schema: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    }


def route_of(request: Asked, schema: dict[str, Any]) -> tuple[str, str]:
    path = urlsplit(request.path).path
    for method, template in routes(schema):
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if method == request.method and re.fullmatch(pattern, path):
            return method, template
    raise AssertionError(f"the service has no {request.method} {path}")


def test_every_route_has_a_method(asked: list[Asked], schema: dict[str, Any]) -> None:
    covered = {route_of(request, schema) for request in asked}
    assert set(routes(schema)) - covered == NO_METHOD


def test_every_field_has_a_parameter(asked: list[Asked], schema: dict[str, Any]) -> None:
    sent: dict[tuple[str, str], set[str]] = {}
    for request in asked:
        fields = sent.setdefault(route_of(request, schema), set())
        fields |= set(parse_qs(urlsplit(request.path).query))
        if request.headers.get("content-type") == "application/json":
            fields |= set(json.loads(request.content))
    for route, fields in sent.items():
        known = accepted(routes(schema)[route], schema)
        assert fields <= known, route
        left_out = {name for method, name in NO_PARAMETER if method == route[0]}
        if route[1].endswith("/events"):  # a stream has no pages; `after` is a header
            left_out.add("limit")
        assert known - fields <= left_out, route


def accepted(operation: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """The names of a route's query parameters and of the fields of its body."""
    names = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        body = content["schema"]
        body = next((one for one in body.get("anyOf", ()) if "$ref" in one), body)  # or no body
        component = body["$ref"].rpartition("/")[2]
        names |= set(schema["components"]["schemas"][component]["properties"])
    return names


def answers(kind: type[Answer] = Answer) -> set[type[Answer]]:
    subclasses = {kind for kind in kind.__subclasses__() if "[" not in kind.__name__}
    return subclasses.union(*map(answers, subclasses))


def name_of(kind: type) -> str:
    return kind.__name__


KINDS = sorted(answers(), key=name_of)


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_every_field_of_an_answer_is_shown(kind: type[Answer], schema: dict[str, Any]) -> None:
    name = kind.__name__
    if name in {"Page", "Problem"}:  # generic; named nowhere in the service's schema
        return
    components = schema["components"]["schemas"]
    component = components.get(NAMES.get(name, f"{name}Out")) or components[name]
    shown = set(kind.model_fields)
    assert set(component["properties"]) - shown - {"object"} == NOT_SHOWN.get(name, set())
    assert shown <= set(component["properties"])
