"""vLLM as a generation engine, in an environment of its own, against `transformers`: a worker of
either kind answers the same requests and evaluations of the same models, one after the other."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
from openai import OpenAI

from tests.known import known
from tests.others.conftest import MODEL, VLLM, ended
from tests.service.live import Live
from tests.waiting import until

pytestmark = [pytest.mark.others, pytest.mark.timeout(1500)]
PROMPTS = ["The capital of France is", "Once upon a time", "Столица Италии", "2, 4, 6,"]
TEXT = "Paris is the capital of France, and Rome is the capital of Italy."
AT_ONCE, TOKENS = (16, 64), 32
SAMPLES: list[dict[str, Any]] = [
    {"id": f"{at}", "prompt": prompt, "references": [TEXT]} for at, prompt in enumerate(PROMPTS)
]
TALK = [
    {"role": "system", "content": "You answer in one word."},
    {"role": "user", "content": "The capital of Italy?"},
    {"role": "assistant", "content": "Rome."},
    {"role": "user", "content": "And of France?"},
]
METRICS = ["chrf", "perplexity"]  # the second by transformers, in the same process


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


@dataclass
class Outcome:
    """What an evaluation came to, by the system's settings."""

    outputs: dict[str, list[Any]] = field(default_factory=dict)  # with reasons and token counts
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    engines: set[tuple[str, str | None]] = field(default_factory=set)  # machines' and outputs'


def evaluated(service: Live, worker: subprocess.Popen[bytes], checkpoint: str) -> Outcome:
    """By this worker, which then ends."""
    found = Outcome()
    options = {"max_new_tokens": 24, "stop": ["\n\n"]}
    draws = {"max_new_tokens": 8, "temperature": 1.0, "num_outputs": 2, "seed": 5}
    began = time.monotonic()
    with service.client() as assay:
        talk = [{"id": "talk", "messages": TALK, "references": ["Paris"]}]
        for name, model, samples, generation in (
            ("text", MODEL, SAMPLES, options | {"chat": False}),
            ("talk", MODEL, talk, options),
            ("adapter", checkpoint, SAMPLES, options),
            ("drawn", MODEL, SAMPLES, draws),
            ("drawn again", MODEL, SAMPLES, draws),
        ):
            made = assay.evaluate(
                model=model,
                dataset=f"engines-{name.replace(' ', '-')}",
                samples=samples,
                generation=generation,
                metrics=METRICS,
            )
            done = assay.wait(made.id, timeout=400)
            assert done.status == "succeeded", done.error
            (machine,) = done.provenance["machines"]
            found.values[name] = {one.name: known(one.value) for one in done.scores}
            found.outputs[name] = []
            for one in sorted(assay.samples(done.id), key=lambda one: one.id):
                for text, told in zip(one.outputs, known(one.details), strict=True):
                    found.engines.add((machine["engine"], told.fingerprint))
                    counts = (told.input_tokens, told.output_tokens)
                    found.outputs[name].append((text, told.finish_reason, *counts))
    print(f"{found.engines}: {time.monotonic() - began:.0f} s, {found.values}")
    ended(worker)
    return found


def test_evaluations_are_those_of_transformers(service: Live, checkpoint: str) -> None:
    own = evaluated(service, service.worker("score"), checkpoint)
    vllm = service.worker("score", python=VLLM / "bin" / "python", engine="vllm")
    theirs = evaluated(service, vllm, checkpoint)
    for name in ("text", "talk", "adapter"):
        assert theirs.outputs[name] == own.outputs[name]
        assert theirs.values[name] == pytest.approx(own.values[name], rel=1e-5)
    assert theirs.outputs["adapter"] != theirs.outputs["text"]
    assert theirs.outputs["drawn"] == theirs.outputs["drawn again"]
    assert len({text for text, *_ in theirs.outputs["drawn"]}) == 2 * len(SAMPLES)
    assert own.engines == {("transformers", None)}
    ((engine, fingerprint),) = theirs.engines
    assert (engine, str(fingerprint).split()[0]) == ("vllm", "vllm")


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
