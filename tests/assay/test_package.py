"""What importing the client brings along, and its errors as objects."""

from __future__ import annotations

import ast
import copy
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

import assay
from assay import (
    AssayError,
    Client,
    ConnectionFailed,
    RequestTimedOut,
    WaitTimedOut,
)
from assay.models import Answer
from tests.checkout import ROOT, files, folders
from tests.test_house import imported


def test_importing_the_client_is_light() -> None:
    there = imported("import assay; assay.Client().close()")
    ours = folders() - {"assay"}
    heavy = {"torch", "numpy", "transformers", "datasets", "pyarrow", "sqlalchemy", "fastapi"}
    assert there.isdisjoint(ours | heavy)
    assert "httpx" in there


def test_httpx_and_pydantic_are_all_it_needs() -> None:
    needed: set[str] = set()
    for path in files():
        if path.parts[0] == "assay" and path.suffix == ".py":
            for node in ast.walk(ast.parse((ROOT / path).read_text())):
                if isinstance(node, ast.Import):
                    needed |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    needed.add((node.module or "").partition(".")[0])
    assert needed - set(sys.stdlib_module_names) == {"assay", "httpx", "pydantic"}


def test_all_that_is_promised_is_there() -> None:
    assert [name for name in assay.__all__ if not hasattr(assay, name)] == []
    inner = {"Page", "SetScores", "Comparison"}  # what they hold is returned
    assert {kind.__name__ for kind in Answer.__subclasses__()} - inner <= set(assay.__all__)


ERRORS = [
    AssayError("m", code="c", method="GET", url="http://x", status=422, param="p", request_id="r"),
    ConnectionFailed("m", code="c", method="GET", url="http://x"),
    RequestTimedOut(method="GET", url="http://x", timeout=1.0),
    WaitTimedOut(name="eval_1", state="running", url="http://x", timeout=1.0),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_can_be_copied(error: AssayError) -> None:
    again = copy.copy(error)
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)


def asking() -> None:
    with Client("http://127.0.0.1:9", retries=0) as client:
        client.metrics()


def test_errors_come_out_of_other_processes() -> None:
    with ProcessPoolExecutor(1) as pool, pytest.raises(ConnectionFailed) as failed:
        pool.submit(asking).result(timeout=60)
    assert failed.value.url == "http://127.0.0.1:9/v1/metrics"
