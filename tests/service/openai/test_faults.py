"""Clients that go away, workers that are killed: work ends soon, and no answer is lost."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from openai import APITimeoutError, OpenAI

from tests.service.live import Live
from tests.waiting import until

MODEL = "tiny-slow"
LONG: dict[str, Any] = {
    "model": MODEL,
    "prompt": "Once upon a time",
    "max_tokens": 3000,
    "logprobs": 1,
}


@pytest.fixture(scope="module")
def slow(models_root: Path) -> None:
    """The model is there: it writes for seconds, and never ends by itself."""
    from tests.tiny_models import build_language_model

    folder = models_root / MODEL
    build_language_model(folder, max_position_embeddings=4096, eos_token_id=None)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["eos_token"], settings["model_max_length"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.fixture
def client(live: Live, slow: None) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{live.base}/openai/v1", api_key="none", max_retries=0) as client:
        client.completions.create(model=MODEL, prompt="warm", max_tokens=1)
        yield client


def free_within(client: OpenAI, seconds: float) -> None:
    began = time.monotonic()
    client.completions.create(model="tiny-language", prompt="next", max_tokens=1)
    assert time.monotonic() - began < seconds


def test_who_goes_away_ends_the_work(client: OpenAI) -> None:
    client.completions.create(model="tiny-language", prompt="warm", max_tokens=1)
    began = time.monotonic()
    client.completions.create(**LONG | {"max_tokens": 300})
    whole = 10 * (time.monotonic() - began)  # seconds that LONG takes, and more for its attention
    with pytest.raises(APITimeoutError):
        client.with_options(timeout=1.0).completions.create(**LONG)
    free_within(client, whole / 2)
    stream = client.completions.create(**LONG, stream=True)
    next(iter(stream))
    stream.close()
    free_within(client, whole / 2)


@pytest.mark.slow
def test_a_killed_process_is_gone_on_from(client: OpenAI, live: Live) -> None:
    """The client sees one stream: what was written before the kill is not written again."""
    asked = LONG | {"max_tokens": 400, "seed": 3}
    pieces, before = [], used(live)
    stream = client.completions.create(**asked, stream=True)
    for chunk in stream:
        pieces.append(chunk.choices[0])
        if len(pieces) == 3:
            kill_who_writes(live, before)
    whole = client.completions.create(**asked).choices[0]
    assert "".join(one.text for one in pieces) == whole.text
    tokens = [token for one in pieces if one.logprobs for token in one.logprobs.tokens]
    assert tokens == whole.logprobs.tokens
    assert pieces[-1].finish_reason == whole.finish_reason == "length"


def used(live: Live) -> dict[psutil.Process, float]:
    """Seconds of each compute process."""
    computes = psutil.Process(live.processes[1].pid).children()  # the worker's
    return {compute: compute.cpu_times().user for compute in computes}


def kill_who_writes(live: Live, before: dict[psutil.Process, float]) -> None:
    now = used(live)
    compute = max(now, key=lambda one: now[one] - before.get(one, 0.0))
    os.kill(compute.pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(compute.pid), 10)
