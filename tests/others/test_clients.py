"""Harnesses that nobody here wrote, pointed at a checkpoint trained in this run: what they find is
what lm-evaluation-harness finds with its own model on the merged weights."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.others.conftest import INSPECT, ended
from tests.service.live import Live
from tests.service.openai.test_lm_eval import (  # noqa: F401
    QUESTIONS,
    data,
    no_report_on_the_machine,
    outcome,
    task,
)

pytestmark = [pytest.mark.others, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def worker(service: Live) -> Iterator[None]:
    """One that answers and merges, by transformers."""
    started = service.worker("now,score")
    yield
    ended(started)


@pytest.fixture(scope="module")
def merged(service: Live, checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint's weights, as anybody may take them away."""
    folder: Path = tmp_path_factory.mktemp("merged") / "model"
    with service.client() as assay:
        assay.download_checkpoint(checkpoint, folder, "merged")
    return folder


def own(merged: Path) -> dict[str, Any]:
    return {"pretrained": str(merged), "dtype": "float32", "device": "cpu"}


def completions(service: Live, checkpoint: str) -> dict[str, Any]:
    return {
        "model": checkpoint,
        "base_url": f"{service.base}/openai/of/{checkpoint}/v1/completions",
        "tokenizer_backend": "remote",
        "num_concurrent": 4,
        "max_length": 2048,
    }


def test_lm_eval_reads_the_same_likelihoods(
    service: Live,
    checkpoint: str,
    merged: Path,
    data: Path,  # noqa: F811
) -> None:
    asked = task(data, "multiple_choice")
    theirs = outcome("hf", own(merged), asked)
    found = outcome("local-completions", completions(service, checkpoint), asked)
    expected = [one[0] for sample in theirs for one in sample]
    told = [one[0] for sample in found for one in sample]
    apart = [abs(float(a[0]) - float(b[0])) for a, b in zip(told, expected, strict=True)]
    print(f"log-likelihoods of {len(told)} choices: at most {max(apart):.1e} apart")
    assert len(told) == 8
    assert max(apart) < 1e-4
    assert [greedy for _, greedy in told] == [greedy for _, greedy in expected]


def test_lm_eval_reads_the_same_texts(
    service: Live,
    checkpoint: str,
    merged: Path,
    data: Path,  # noqa: F811
) -> None:
    asked = task(data, "generate_until")
    chat = {"model": checkpoint, "base_url": f"{service.base}/openai/v1/chat/completions"}
    assert outcome("local-completions", completions(service, checkpoint), asked) == outcome(
        "hf", own(merged), asked
    )
    assert outcome("local-chat-completions", chat, asked, apply_chat_template=True) == outcome(
        "hf", own(merged), asked, apply_chat_template=True
    )


def test_inspect_reads_what_the_client_reads(
    service: Live, checkpoint: str, tmp_path: Path
) -> None:
    """In its own environment, through its own command."""
    base = f"{service.base}/openai/v1"
    with OpenAI(base_url=base, api_key="none", timeout=300) as client:
        answers = [
            client.chat.completions.create(
                model=checkpoint,
                messages=[{"role": "user", "content": question}],
                max_tokens=12,
                temperature=0,
            )
            .choices[0]
            .message.content
            for question, _, _ in QUESTIONS
        ]
    targets = [str(answer)[:4] for answer in answers[:-1]] + ["what no answer holds"]
    log = inspected(base, checkpoint, targets, tmp_path)
    assert log["status"] == "success", log
    assert [one["output"]["completion"] for one in log["samples"]] == answers
    (score,) = log["results"]["scores"]
    assert score["metrics"]["accuracy"]["value"] == pytest.approx(1 - 1 / len(QUESTIONS))
    assert all(one["output"]["choices"][0]["logprobs"] for one in log["samples"])


TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import json_dataset
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

@task
def questions():
    return Task(dataset=json_dataset("questions.jsonl"), solver=generate(), scorer=includes())
"""


def inspected(base: str, model: str, targets: list[str], folder: Path) -> dict[str, Any]:
    """The log of an evaluation by inspect's command."""
    rows = [
        {"id": at, "input": question, "target": target}
        for at, ((question, _, _), target) in enumerate(zip(QUESTIONS, targets, strict=True))
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "task.py").write_text(TASK)
    settings = ["--max-tokens=12", "--temperature=0", "--logprobs", "--top-logprobs=2"]
    settings += ["--log-format=json", "--log-dir=logs", "--display=plain"]
    inspect = INSPECT / "bin" / "inspect"
    subprocess.run(
        [inspect, "eval", "task.py", f"--model=openai-api/assay/{model}", *settings],
        cwd=folder,
        env=os.environ | {"ASSAY_BASE_URL": base, "ASSAY_API_KEY": "none"},
        check=True,
        timeout=300,
    )
    (log,) = (folder / "logs").glob("*.json")
    found: dict[str, Any] = json.loads(log.read_text())
    return found
