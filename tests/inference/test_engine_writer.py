"""An engine writes as `transformers` does by itself: its rows are the same, and its texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inference.chat import Message, Reply, Request
from inference.engine_writer import EngineWriter
from inference.errors import InputError, Unavailable
from inference.local_chat import LocalChat, TransformersChat
from inference.pool import ModelPool
from inference.protocol import Generation

NAME = "builtin/smollm2-135m-instruct"
PROMPTS = ["The capital of France is", "", "Once upon a time", "Столица Италии"]
SHORT = Generation(max_new_tokens=12, chat=False)


@pytest.fixture
def by_engine(model_pool: ModelPool) -> LocalChat:
    return LocalChat(EngineWriter(model_pool.engine(NAME)))


@pytest.mark.parametrize("stop", [(), (" the", "\n")])
def test_greedy_replies_are_those_of_transformers(
    model_pool: ModelPool, by_engine: LocalChat, stop: tuple[str, ...]
) -> None:
    own = model_pool.chat(NAME)
    assert isinstance(own, LocalChat)
    options = replace(SHORT, stop=stop)
    talks = [Request((Message("user", one),), options) for one in PROMPTS]
    for wanted, got in (
        (own.complete(PROMPTS, options), by_engine.complete(PROMPTS, options)),
        (own.reply(talks), by_engine.reply(talks)),
    ):
        assert [[replace(one, latency_s=None) for one in each] for each in got] == [
            [replace(one, latency_s=None) for one in each] for each in wanted
        ]
    assert by_engine.choices(talks, ["a", "b"]) is None


def test_draws_have_a_seed_each_and_progress_counts_prompts(by_engine: LocalChat) -> None:
    options = replace(SHORT, temperature=1.0, num_outputs=3, seed=7)
    told: list[int] = []
    drawn = _texts(by_engine.complete(PROMPTS, options, told.append))
    assert sum(told) == len(PROMPTS)
    assert len({*drawn}) == 3 * len(PROMPTS)
    assert _texts(by_engine.complete(PROMPTS, options)) == drawn
    other = _texts(by_engine.complete(PROMPTS, replace(options, seed=8)))
    assert {*other}.isdisjoint(drawn)


def _texts(replies: list[list[Reply]]) -> list[str]:
    return [one.text for each in replies for one in each]


def test_an_engine_that_is_set_writes_and_nothing_else(
    tmp_path: Path, tiny_language_model: Path
) -> None:
    """Here it is not installed, which is told to who wants outputs, and to nobody else."""
    name = str(tiny_language_model)
    pool = ModelPool([tiny_language_model.parent], tmp_path, engine_kind="vllm")
    with pytest.raises(Unavailable, match="not installed"):
        pool.chat(name, by_engine=True)
    assert isinstance(pool.chat(name), TransformersChat)


def test_what_progress_raises_ends_the_work(by_engine: LocalChat) -> None:
    def cancelled(_: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        by_engine.complete(PROMPTS, SHORT, cancelled)


def test_what_cannot_be_written_is_refused(by_engine: LocalChat) -> None:
    with pytest.raises(InputError, match="positions in all"):
        by_engine.complete(PROMPTS, replace(SHORT, max_new_tokens=8192))
    with pytest.raises(InputError, match="temperature 0"):
        by_engine.complete(PROMPTS, replace(SHORT, num_outputs=2))
