"""lm-evaluation-harness against our models: what it finds over HTTP is what it finds by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.service.live import Live

MODEL = "tiny-language"
QUESTIONS = [
    ("The capital of France is", ["Paris", "Rome", "a language model"], 0),
    ("Столица Италии —", ["Москва", "Рим"], 1),
    ("The quick brown fox jumps over the lazy", ["dog", "булок", "bits it needs"], 0),
]


@pytest.fixture(autouse=True)
def no_report_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would ask pip, git and the processor each time."""
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("lm_eval") / "questions.jsonl"
    rows = [{"q": q, "choices": choices, "gold": gold} for q, choices, gold in QUESTIONS]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return file


def task(data: Path, kind: str) -> dict[str, Any]:
    shared = {
        "task": f"local_{kind}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": kind,
        "doc_to_text": "{{q}}",
    }
    if kind == "multiple_choice":
        return shared | {"doc_to_choice": "{{choices}}", "doc_to_target": "gold"}
    until = {"until": ["\n\n"], "max_gen_toks": 8}
    return shared | {"doc_to_target": "{{choices[gold]}}", "generation_kwargs": until}


def outcome(model: str, arguments: dict[str, Any], asked: dict[str, Any], **more: Any) -> list[Any]:
    """The responses to all requests of the task, in order."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    found = simple_evaluate(
        model=model,
        model_args=arguments,
        tasks=[asked],
        task_manager=TaskManager(include_defaults=False),  # its own are 14,000 files to read
        bootstrap_iters=0,
        log_samples=True,
        **more,
    )
    samples = sorted(found["samples"][asked["task"]], key=lambda one: one["doc_id"])
    return [one["resps"] for one in samples]


def test_log_likelihoods_are_those_of_its_own_model(
    live: Live, data: Path, tiny_language_model: Path
) -> None:
    own = outcome(
        "hf",
        {"pretrained": str(tiny_language_model), "dtype": "float32", "device": "cpu"},
        task(data, "multiple_choice"),
    )
    remote = outcome(
        "local-completions",
        {
            "model": MODEL,
            "base_url": f"{live.base}/openai/of/{MODEL}/v1/completions",
            "tokenizer_backend": "remote",
            "num_concurrent": 4,
            "max_length": 256,
        },
        task(data, "multiple_choice"),
    )
    flat = [one[0] for sample in own for one in sample]
    found = [one[0] for sample in remote for one in sample]
    assert len(found) == 8
    assert [float(value) for value, _ in found] == pytest.approx(
        [float(value) for value, _ in flat], abs=1e-4
    )
    assert [greedy for _, greedy in found] == [greedy for _, greedy in flat]


def test_chats_are_answered(live: Live, data: Path) -> None:
    found = outcome(
        "local-chat-completions",
        {"model": MODEL, "base_url": f"{live.base}/openai/v1/chat/completions"},
        task(data, "generate_until"),
        apply_chat_template=True,
    )
    texts = [one[0][0] for one in found]
    assert len(texts) == 3
    assert all(isinstance(text, str) for text in texts)
    assert len(set(texts)) > 1
