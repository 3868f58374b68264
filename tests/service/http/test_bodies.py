"""Large bodies: others are answered meanwhile, memory is bounded, errors name a field."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from service.evaluations.schemas import EvaluationIn
from service.http.bodies import parse
from service.http.json_reader import WINDOW, Reader
from tests.service.live import Live
from tests.service.texts import samples
from tests.waiting import until

MIB = 1024**2


@pytest.fixture(scope="module")
def api(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """An API by itself."""
    service = Live(new_database(), tmp_path_factory.mktemp("data"))
    service.api()
    yield service
    service.close()


def body(count: int, output: str = "output") -> bytes:
    rows = [
        {"id": str(at), "prompt": "What is it?", output: "A cat.", "references": ["A cat"]}
        for at in range(count)
    ]
    return json.dumps({"system": "x", "samples": rows, "metrics": ["chrf"]}).encode()


BODIES: dict[str, tuple[Callable[[], bytes], int, str | None]] = {
    # name: (body, status, field of the error)
    "lists of 1 MB": (lambda: b'{"samples":[' + b"[]," * 333_333 + b"[]]}", 422, "samples[0]"),
    "lists of 10 MB": (lambda: b'{"samples":[' + b"[]," * 3_333_333 + b"[]]}", 422, "samples[0]"),
    "lists in one sample": (
        lambda: b'{"samples":[[' + b"[]," * 1_000_000 + b"[]]]}",
        422,
        "samples[0]",
    ),
    "misspelt field": (lambda: body(300_000, "outptu"), 422, "samples[0].outptu"),
    "unknown fields": (
        lambda: json.dumps({f"f{at}": 0 for at in range(300_000)}).encode(),
        422,
        "f0",
    ),
    "unknown fields of a sample": (
        lambda: json.dumps({"samples": [{f"f{at}": 0 for at in range(300_000)}]}).encode(),
        422,
        "samples[0].f0",
    ),
    "numbers as references": (
        lambda: b'{"samples":[{"references":[' + b"1," * 1_000_000 + b"1]}]}",
        422,
        "samples[0].references[0]",
    ),
    "valid": (lambda: body(100_000), 202, None),
}


@pytest.mark.parametrize("name", BODIES)
def test_others_are_answered_while_a_body_is_read(api: Live, name: str) -> None:
    make, status, param = BODIES[name]
    content = make()
    process = psutil.Process(api.processes[0].pid)
    before = process.memory_info().rss
    with Hammer(f"{api.base}/healthz", process) as hammer:
        answer = post(api, content)
        until(lambda: len(hammer.seconds) >= 200, 60)
    assert answer.status_code == status, answer.text[:500]
    if param is not None:
        assert answer.json()["error"]["param"] == param
    assert np.quantile(hammer.seconds, 0.99) < 0.1, sorted(hammer.seconds)[-5:]
    assert hammer.memory - before < 100 * MIB + 40 * len(content)


class Hammer:
    """Asks for one page again and again; notes each answer's seconds, and the server's memory."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self.url = url
        self.process = process
        self.seconds: list[float] = []
        self.memory = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Hammer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=120) as client:
            while not self._ended.is_set():
                began = time.perf_counter()
                assert client.get(self.url).status_code == 200
                self.seconds.append(time.perf_counter() - began)
                self.memory = max(self.memory, self.process.memory_info().rss)


def post(api: Live, content: bytes) -> httpx.Response:
    headers = {"content-type": "application/json"}
    url = f"{api.base}/v1/evaluations"
    return httpx.post(url, content=content, headers=headers, timeout=120)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        " { } ",
        '{"a": [1, -2.5e+3, true, null, "\\u00e9\\n"], "b": {"c": []}}',
        json.dumps([{"text": "x" * (WINDOW + 9), "n": [1.5e300] * WINDOW, "m": {}}, "y" * WINDOW]),
        "[" + ",".join(["12345.678e+10"] * (WINDOW // 4)) + "]",
        "[" + " " * 2 * WINDOW + "1 ]",
        json.dumps("ж" * 3 * WINDOW),
        "1" * 4000,
    ],
    ids=range(8),
)
def test_the_reader_reads_what_json_reads(text: str) -> None:
    assert Reader(text).whole() == json.loads(text)
    skipped = Reader(text)
    skipped.skip()
    skipped.end()


@pytest.mark.parametrize(
    "text", ["", "[1", "[1,]", "[1 2]", '{"a"}', '{"a":1,}', "{1:2}", "1 2", '"a', "[1.]", "nul"]
)
@pytest.mark.parametrize("before", ["", "[" + "0," * WINDOW], ids=["short", "long"])
def test_the_reader_refuses_what_json_refuses(text: str, before: str) -> None:
    text = before + text
    with pytest.raises(json.JSONDecodeError) as theirs:
        json.loads(text)
    with pytest.raises(json.JSONDecodeError) as ours:
        Reader(text).whole()
    assert (ours.value.pos, ours.value.msg) == (theirs.value.pos, theirs.value.msg)


def test_errors_are_pydantics_own_and_in_order() -> None:
    wrong: list[dict[str, Any]] = [{"output": 1}, {"output": "a", "references": "b"}, {"x": 0}]
    content = {"metrics": [], "samples": wrong, "system": "", "level": 2, "outputs": {"a": 1}}
    ours = _errors(lambda: parse(json.dumps(content).encode(), EvaluationIn))
    theirs = _errors(lambda: EvaluationIn.model_validate(content))
    assert set(map(str, ours)) == set(map(str, theirs))
    assert ours[0][1] == ("samples", 0, "output")
    assert gc.isenabled()


def test_reading_ends_with_the_twentieth_error() -> None:
    begun = b'{"samples":[' + b'{"output":1},' * 50  # and no end: it is not looked at
    errors = _errors(lambda: parse(begun, EvaluationIn))
    assert [place for _, place in errors] == [("samples", at, "output") for at in range(20)]


def test_a_field_that_is_there_twice() -> None:
    content = b'{"system":"x","samples":[],"system":"y","metrics":["chrf"],"samples":[{"id":1}]}'
    errors = _errors(lambda: parse(content, EvaluationIn))
    twice = [place for kind, place in errors if kind == "duplicate_key"]
    assert twice == [("system",), ("samples",)]


def test_a_body_becomes_the_model_that_pydantic_makes() -> None:
    content = {"system": "x", "samples": samples(500), "metrics": ["chrf"], "slices": ["a"]}
    made: BaseModel = parse(json.dumps(content).encode("utf-16"), EvaluationIn)
    assert made == EvaluationIn.model_validate(content)


def _errors(make: Callable[[], object]) -> list[tuple[str, tuple[str | int, ...]]]:
    try:
        make()
    except RequestValidationError as error:
        return [(one["type"], one["loc"][1:]) for one in error.errors()]
    except ValidationError as error:
        return [(one["type"], one["loc"]) for one in error.errors()]
    return []
