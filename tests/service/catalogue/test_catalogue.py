"""The catalogue, and every metric of it computed by the running service on real text."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import Client
from metrics import catalogue
from tests.checkout import ROOT
from tests.inference.tiny_bleurts import build_bleurt
from tests.inference.tiny_comets import build_comet, build_encoder
from tests.inference.tiny_mixtures import add_multi_token, build_mixture
from tests.service.live import Live
from tests.service.texts import samples
from tests.tiny_models import build_answers_model, build_nli_model, build_questions_model
from tests.valuing_server import valuing
from tests.waiting import until

ENTAILMENT = ("nli", "faithfulness", "context_precision", "context_recall")
PARAMS: dict[str, dict[str, Any]] = {  # of the metrics whose defaults do not do here
    "mauve": {"num_clusters": 4},
    "calibrated": {
        "metric": "chrf",
        "score": "chrf",
        "function": {"method": "linear", "knots": [[0, 1], [100, 5]]},
    },
    "judge": {"model": "tiny-judge"},
    "choice_accuracy": {"model": "tiny-language"},  # perplexity asks the builtin model
    "compression": {"model": "tiny-language", "window": 32},
    "attention": {"model": "tiny-ahead"},
    "experts": {"model": "tiny-mixtral"},
    "multi_token": {"model": "tiny-ahead"},
    "reward": {"model": "tiny-reward"},
    "pair_accuracy": {"model": "tiny-reward"},
    "pass_at_k": {"k": [1, 2]},
    "comet": {"model": "tiny-comet"},
    "bleurt": {"model": "tiny-bleurt"},
    "format": {"max_words": 50},
    "qa_consistency": {
        "questions": "tiny-questions",
        "answers": "tiny-answers",
        "keep": "all",
        "max_questions": 2,
        "num_beams": 1,
    },
    "toxicity": {"model": "tiny-nli", "labels": ["contradiction"]},
    **{name: {"model": "tiny-nli"} for name in ENTAILMENT},
}
CODE = {
    "prompt": "def add(a, b):\n",
    "outputs": ["    return a + b\n", "    return a - b\n"],
    "tests": "assert add(2, 3) == 5\n",
}


GENERATED = {"latency", "output_tokens", "cost"}  # of outputs that the service makes


def asked(run: bool) -> list[dict[str, Any]]:
    """Every metric of the catalogue that runs programs, or that does not."""
    return [
        {"name": name, "params": PARAMS.get(name, {})}
        for name, metric in catalogue().items()
        if run == ("tests" in metric.reads) and name not in GENERATED
    ]


def test_every_metric_is_listed_with_its_schema(live: Live) -> None:
    files = {path.stem for path in (ROOT / "metrics").glob("*.py")} - {"__init__"}
    listed = {one["id"]: one for one in httpx.get(f"{live.base}/v1/metrics").json()["data"]}
    assert files
    assert set(listed) == files
    for one in listed.values():
        assert one["params"]["type"] == "object"
        assert one["scores"]
        assert one["paper"]
        assert one["reference"]
        assert one["conventions"] == inspect.getdoc(import_module(f"metrics.{one['id']}"))
        assert one["pooling"] in {"pool", "average", "own"}
    assert listed["chrf"]["params"]["properties"]["word_order"]["default"] == 0
    for pass_at_k in (listed["pass_at_k"], httpx.get(f"{live.base}/v1/metrics/pass_at_k").json()):
        limits = pass_at_k["params"]["properties"]
        assert limits["timeout_s"]["maximum"] == 200  # what `live` is set to
        assert limits["memory_mb"]["maximum"] == 16384
    assert not listed["mauve"]["usable_as_reward"]
    assert listed["chrf"]["usable_as_reward"]


def test_models_at_hand(live: Live, tiny_language_model: Path) -> None:
    found = {one["id"] for one in httpx.get(f"{live.base}/v1/models").json()["data"]}
    assert {"builtin/smollm2-135m-instruct", "builtin/minilm-l6", "tiny-language"} <= found


@pytest.fixture
def tiny_readers(models_root: Path) -> None:
    """A model of entailment, two of questions and answers, a BLEURT, a COMET with its encoder
    beside it, mixtures of experts."""
    add_multi_token(build_mixture(models_root / "tiny-ahead", "deepseek_v3"))
    build_mixture(models_root / "tiny-mixtral", "mixtral")
    build_nli_model(models_root / "tiny-nli")
    build_questions_model(models_root / "tiny-questions")
    build_answers_model(models_root / "tiny-answers")
    build_bleurt(models_root / "tiny-bleurt")
    build_comet(
        models_root / "tiny-comet", build_encoder(models_root / "tiny-comet"), "regression_metric"
    )


@pytest.mark.slow
def test_every_metric_over_http(
    assay: Client,
    tiny_reward_model: Path,
    tiny_judge: Path,
    tiny_readers: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with valuing() as server:
        monkeypatch.setitem(PARAMS, "remote", {"url": server.url})
        given = samples(40, tag="a")
        for number, sample in enumerate(given):
            sample["metadata"] |= {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
            sample["metadata"] |= {"choices": ["yes", "no"], "answer": 0}
            sample["metadata"] |= {"confidence": number / 40, "contexts": sample["references"]}
        made = assay.evaluate(system="x", dataset="all", samples=given, metrics=asked(run=False))
        done = assay.wait(made.id, timeout=240)
    assert done.status == "succeeded"
    named = {score.metric for score in done.scores}
    code = assay.evaluate(system="x", dataset="code", samples=[CODE], metrics=asked(run=True))
    ran = assay.wait(code.id, timeout=60)
    assert ran.score("pass@1").value == 0.5
    assert ran.score("pass@2").value == 1.0
    named |= {score.metric for score in ran.scores}
    assert named | GENERATED == set(catalogue())
    for score in done.scores:
        assert score.error is None, (score.name, score.error)
        assert score.value is not None
        if score.interval is None:
            reasons = ("have the same value", "no interval:")
            said = " ".join(score.warnings)
            assert any(reason in said for reason in reasons), score.name
        else:
            assert score.interval[0] <= score.value <= score.interval[1]


def test_health_and_counters(live: Live, assay: Client) -> None:
    assert httpx.get(f"{live.base}/healthz").json() == {"status": "ok"}
    ready = httpx.get(f"{live.base}/readyz")
    assert ready.status_code == 200
    until(lambda: not [*assay.evaluations(status="queued"), *assay.evaluations(status="running")])
    before = live.counter("assay_rows_measured_total", metric="chrf")
    made = assay.evaluate(system="x", dataset="counted", samples=samples(), metrics=["chrf"])
    assay.wait(made.id)
    assert live.counter("assay_rows_measured_total", metric="chrf") == before + len(samples())
    assert live.counter("assay_requests_total", route="/v1/evaluations", status="202") >= 1
    given = httpx.get(f"{live.base}/healthz", headers={"x-request-id": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"


def test_the_api_docs_have_real_examples(live: Live) -> None:
    schema = httpx.get(f"{live.base}/openapi.json", timeout=60).json()
    example = schema["components"]["schemas"]["EvaluationIn"]["examples"][0]
    answer = httpx.post(
        f"{live.base}/v1/evaluations", json=example, headers={"Prefer": "wait=60"}, timeout=70
    )
    assert answer.json()["status"] == "succeeded"
    page = httpx.get(f"{live.base}/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded
    for path in loaded:  # from this service, not from a network that may not be there
        assert httpx.get(f"{live.base}{path}").status_code == 200
