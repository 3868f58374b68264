"""A client that a generator made from the OpenAPI document works against the running service."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from assay import Client
from tests.service.live import Live
from tests.service.texts import samples

NAME = "generated_client"


@pytest.fixture(scope="module")
def generated(assay: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The package's name, to import from."""
    folder = tmp_path_factory.mktemp("generated")
    document, settings = folder / "openapi.json", folder / "settings.json"
    document.write_text(json.dumps(assay.request("GET", "/openapi.json")))
    # of a file, it knows bytes alone: whatever its format
    binary = ["application/x-tar", "application/x-ndjson", "application/jsonl", "text/csv"]
    binary += ["text/markdown", "application/x-latex", "image/svg+xml", "application/zip"]
    types = dict.fromkeys([*binary, "application/vnd.apache.parquet"], "application/octet-stream")
    settings.write_text(json.dumps({"post_hooks": [], "content_type_overrides": types}))
    command = ["generate", "--path", str(document), "--config", str(settings), "--meta", "none"]
    command += ["--output-path", str(folder / NAME), "--fail-on-warning"]
    made = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    yield NAME
    sys.path.remove(str(folder))


class Api:
    """Functions of the generated client by name, called on the live service."""

    def __init__(self, package: str, base: str) -> None:
        self.package = package
        self.client = importlib.import_module(package).Client(base_url=base, timeout=100.0)
        self.models: Any = importlib.import_module(f"{package}.models")

    def call(self, operation: str, **given: Any) -> Any:
        """(status, parsed answer)."""
        room, _, name = operation.partition(".")
        module = importlib.import_module(f"{self.package}.api.{room}.{name}")
        answer = module.sync_detailed(client=self.client, **given)
        return int(answer.status_code), answer.parsed


@pytest.fixture(scope="module")
def api(generated: str, live: Live) -> Api:
    return Api(generated, live.base)


def test_the_examples_of_the_document(api: Api, assay: Client) -> None:
    """Each goes into the generated model and comes out the same."""
    schemas: dict[str, Any] = assay.request("GET", "/openapi.json")["components"]["schemas"]
    examples = [(name, one) for name, s in schemas.items() for one in s.get("examples", [])]
    assert {"EvaluationIn", "TrainingIn", "ScoreIn"} <= {name for name, _ in examples}
    for name, example in examples:
        sent = getattr(api.models, name).from_dict(example).to_dict()
        assert {key: sent[key] for key in example if key != "evaluation"} == {
            key: value for key, value in example.items() if key != "evaluation"
        }


def test_an_evaluation_from_end_to_end(api: Api) -> None:
    body = {"system": "g", "dataset": "generated", "samples": samples(4), "metrics": ["chrf"]}
    asked = api.models.EvaluationIn.from_dict(body)
    status, first = api.call("evaluations.create_evaluation", body=asked, prefer="wait=60")
    assert (status, first.status, first.scores[0].name) == (200, "succeeded", "chrf")
    body["metrics"] = [{"name": "chrf", "params": {"word_order": 2}}, "length"]
    asked = api.models.EvaluationIn.from_dict(body | {"system": "h"})
    key = {"idempotency_key": "generated-1"}
    status, second = api.call("evaluations.create_evaluation", body=asked, **key)
    assert status == 202
    assert api.call("evaluations.create_evaluation", body=asked, **key)[1].id == second.id
    done = api.call("evaluations.get_evaluation", evaluation=second.id, prefer="wait=60")[1]
    assert done.status == "succeeded"
    status, page = api.call("evaluations.list_samples", evaluation=second.id, sort="chrf", limit=2)
    assert (status, len(page.data), page.has_more) == (200, 2, True)
    assert api.call("evaluations.list_events", evaluation=second.id)[1].data
    status, board = api.call("leaderboards.get_leaderboard", dataset="generated", metric="chrf")
    assert (status, len(board.rows) + len(board.left_out)) == (200, 2)


def test_datasets_metrics_and_errors(api: Api) -> None:
    records = {"name": "generated/set", "records": [{"id": "1", "references": ["x"]}]}
    asked = api.models.DatasetIn.from_dict(records)
    assert [api.call("datasets.create_dataset", body=asked)[0] for _ in range(2)] == [201, 200]
    status, found = api.call("datasets.get_dataset", dataset="generated/set")
    assert (status, found.name) == (200, "generated/set")
    assert len(api.call("metrics.list_metrics")[1].data) > 10
    status, refused = api.call("evaluations.get_evaluation", evaluation="eval_none")
    assert (status, refused.error.code) == (404, "evaluation_not_found")
    scored = {"metrics": ["length"], "samples": [{"output": "one two"}]}
    status, scores = api.call("score.score", body=api.models.ScoreIn.from_dict(scored))
    assert (status, scores.scores["length"].value) == (200, 2.0)
