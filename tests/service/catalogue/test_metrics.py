"""GET /v1/metrics/{name}: one metric, from a folder on this machine too."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from metrics import bleu, find
from metrics.community import evaluate
from service.catalogue.metrics import describe, router
from service.settings import Settings
from tests.metrics.test_community import write


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """An API of the catalogue alone, which may load metrics of `evaluate` from `tmp_path`."""
    app = FastAPI()
    app.state.settings = Settings(metric_roots=(tmp_path,))
    app.include_router(router)
    return TestClient(app)


def test_a_metric_of_a_folder_says_how_it_is_computed(client: TestClient, tmp_path: Path) -> None:
    write(tmp_path)
    shown = client.get("/v1/metrics/evaluate/length_ratio").json()
    assert shown["conventions"] == inspect.getdoc(evaluate)
    assert "the value is the mean over samples" in shown["conventions"]
    assert shown["params"]["properties"]["files"]["const"]


def test_a_metric_of_the_catalogue_says_what_its_file_says(client: TestClient) -> None:
    shown = client.get("/v1/metrics/bleu").json()
    assert shown["conventions"] == inspect.getdoc(bleu)
    assert (shown["needs"], shown["pooling"]) == (["output", "references"], "pool")
    assert client.get("/v1/metrics/bertscore").json()["pooling"] == "own"
    assert client.get("/v1/metrics/exact_match").json()["needs"] == ["references"]


def test_a_function_with_arguments_filled_in_stands_where_it_was_written() -> None:
    metric = find("bleu")
    assert (
        describe(replace(metric, measure=partial(metric.measure))).conventions
        == bleu.__doc__.strip()
    )
