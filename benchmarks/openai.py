"""Our models on OpenAI's API: sixteen requests at once against one after the other."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx

from benchmarks.comparing import Row
from benchmarks.service import address, answers, prepared, process, until

MODEL = "builtin/smollm2-135m-instruct"
TOGETHER = 16
TOKENS = 64
REQUIRED = 3.0
WORKER = ("service.cli", "worker", "--device", "cpu", "--queues", "now")


def rows(scale: float) -> Iterator[Row]:
    tokens = max(4, int(TOKENS * scale))
    with prepared() as settings, ExitStack() as stack:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        stack.enter_context(process(settings, "service.serve.api"))
        stack.enter_context(process(settings, *WORKER))
        url = address(settings)
        until(lambda: answers(f"{url}/readyz"))
        client = stack.enter_context(httpx.Client(base_url=url, timeout=600.0))
        ask(client, 0, 1)  # converts and loads the model
        alone, apart = timed(lambda: [ask(client, one, tokens) for one in range(TOGETHER)])
        with ThreadPoolExecutor(TOGETHER) as pool:
            together, joined = timed(
                lambda: list(pool.map(lambda one: ask(client, one, tokens), range(TOGETHER)))
            )
    equal = sum(one == other for one, other in zip(apart, joined, strict=True))
    ratio = alone / together
    yield Row(
        f"{TOGETHER} chat requests of {tokens} tokens at once, and one after the other",
        f"{together:.1f} s",
        f"{alone:.1f} s",
        f"{ratio:.1f}x",
        f"{REQUIRED:.0f}x",
        f"{equal} of {TOGETHER} greedy answers equal",
        agrees=equal == TOGETHER,
        fast=ratio >= REQUIRED,
    )


def ask(client: httpx.Client, number: int, tokens: int) -> str:
    """A greedy answer to a short question."""
    asked = {
        "model": MODEL,
        "messages": [{"role": "user", "content": f"Tell me about the number {number}."}],
        "max_tokens": tokens,
        "temperature": 0,
    }
    found = client.post("/openai/v1/chat/completions", json=asked)
    found.raise_for_status()
    answer: str = found.json()["choices"][0]["message"]["content"]
    return answer


def timed(work: Callable[[], list[str]]) -> tuple[float, list[str]]:
    """Seconds, and what was found."""
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found
