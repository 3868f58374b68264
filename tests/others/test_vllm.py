"""vLLM as a generation engine, in an environment of its own, against `transformers`: a worker of
either kind answers the same requests for the same models, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
from openai import OpenAI

from tests.others.conftest import MODEL, VLLM, ended
from tests.service.live import Live
from tests.waiting import until

pytestmark = [pytest.mark.others, pytest.mark.timeout(1500)]
PROMPTS = ["The capital of France is", "Once upon a time", "Столица Италии", "2, 4, 6,"]
TEXT = "Paris is the capital of France, and Rome is the capital of Italy."
AT_ONCE, TOKENS = (16, 64), 32


@dataclass
class Answers:
    """What one engine said."""

    greedy: dict[str, list[str]] = field(default_factory=dict)  # by model
    stopped: list[tuple[str, str]] = field(default_factory=list)
    read: dict[str, list[float]] = field(default_factory=dict)  # log-likelihoods, by model
    many: dict[int, list[str]] = field(default_factory=dict)  # by how many were asked at once
    rates: dict[int, float] = field(default_factory=dict)  # tokens a second


def asked(client: OpenAI, checkpoint: str) -> Answers:
    found = Answers()
    plain: dict[str, Any] = {"max_tokens": 24, "temperature": 0}
    for model in (MODEL, checkpoint, MODEL):  # and back: a base with an adapter is the base again
        greedy = client.completions.create(model=model, prompt=PROMPTS, **plain)
        found.greedy[model] = [one.text for one in greedy.choices]
        echo = client.completions.create(
            model=model, prompt=TEXT, echo=True, logprobs=1, max_tokens=0
        )
        told: Any = echo.choices[0].logprobs
        found.read[model] = told.token_logprobs[1:]
    for stop in (" the", "a", "unseen"):
        cut = client.completions.create(model=MODEL, prompt=PROMPTS, stop=stop, **plain)
        found.stopped += [(one.text, one.finish_reason) for one in cut.choices]
    for number in AT_ONCE:
        began = time.monotonic()
        with ThreadPoolExecutor(number) as pool:
            found.many[number] = list(pool.map(lambda at: _one(client, at), range(number)))
        found.rates[number] = number * TOKENS / (time.monotonic() - began)
    return found


def _one(client: OpenAI, number: int) -> str:
    answer = client.completions.create(
        model=MODEL, prompt=f"Number {number} is", max_tokens=TOKENS, temperature=0
    )
    return answer.choices[0].text


@pytest.fixture(scope="module")
def client(service: Live) -> Iterator[OpenAI]:
    base = f"{service.base}/openai/v1"
    with OpenAI(base_url=base, api_key="none", max_retries=0, timeout=590) as client:
        yield client


@pytest.fixture(scope="module")
def by_transformers(service: Live, client: OpenAI, checkpoint: str) -> Answers:
    worker = service.worker("now")
    found = asked(client, checkpoint)
    ended(worker)
    return found


@pytest.fixture(scope="module")
def worker(service: Live, by_transformers: Answers) -> Iterator[psutil.Process]:
    """One whose engine is vLLM, for as long as this module lasts."""
    started = service.worker("now", python=VLLM / "bin" / "python", engine="vllm")
    yield psutil.Process(started.pid)
    ended(started)


@pytest.fixture(scope="module")
def by_vllm(worker: psutil.Process, client: OpenAI, checkpoint: str) -> Answers:
    return asked(client, checkpoint)


def test_greedy_texts_are_those_of_transformers(
    by_transformers: Answers, by_vllm: Answers, checkpoint: str
) -> None:
    assert by_vllm.greedy == by_transformers.greedy
    assert by_vllm.greedy[checkpoint] != by_vllm.greedy[MODEL]
    assert by_vllm.stopped == by_transformers.stopped


def test_likelihoods_are_those_of_transformers(by_transformers: Answers, by_vllm: Answers) -> None:
    for model, told in by_transformers.read.items():
        assert by_vllm.read[model] == pytest.approx(told, abs=1e-4)


def test_many_at_once_say_the_same(by_transformers: Answers, by_vllm: Answers) -> None:
    for number in AT_ONCE:
        own, theirs = by_transformers.many[number], by_vllm.many[number]
        same = sum(a == b for a, b in zip(own, theirs, strict=True))
        rates = by_transformers.rates[number], by_vllm.rates[number]
        print(
            f"{number} at once: {same} texts equal; tokens a second: transformers "
            f"{rates[0]:.0f}, vLLM {rates[1]:.0f}"
        )
        assert same >= 0.9 * number  # float32: a tie may fall either way


def test_draws_depend_on_their_seed(client: OpenAI, by_vllm: Answers) -> None:
    options: dict[str, Any] = {"model": MODEL, "prompt": PROMPTS[1], "max_tokens": 12, "n": 3}
    first, again, other = (
        [one.text for one in client.completions.create(**options, seed=seed).choices]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert len(set(first)) == 3


def test_one_who_leaves_leaves_nothing_behind(client: OpenAI, by_vllm: Answers) -> None:
    options: dict[str, Any] = {"model": MODEL, "prompt": PROMPTS[1], "temperature": 1}
    stream = client.completions.create(**options, max_tokens=4000, stream=True)
    next(iter(stream))
    stream.close()
    began = time.monotonic()
    assert _one(client, 1)
    assert time.monotonic() - began < 20


def test_a_stream_says_what_a_whole_answer_says(client: OpenAI, by_vllm: Answers) -> None:
    options: dict[str, Any] = {"model": MODEL, "prompt": PROMPTS[0], "max_tokens": 24}
    pieces = client.completions.create(**options, temperature=0, stream=True)
    assert "".join(one.choices[0].text for one in pieces) == by_vllm.greedy[MODEL][0]


def test_its_death_is_mended(client: OpenAI, worker: psutil.Process, by_vllm: Answers) -> None:
    """A killed compute process leaves nothing of vLLM behind, and another goes on."""
    before = worker.children(recursive=True)
    (compute,) = (one for one in worker.children() if "service.jobs.compute" in one.cmdline())
    compute.kill()
    until(lambda: not any(map(_lives, before)), 30)
    assert _one(client, 1) == by_vllm.many[16][1]


def _lives(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
