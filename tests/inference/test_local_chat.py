"""A model that runs here answers conversations as `transformers` does by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.chat import Message, Request
from inference.errors import InputError
from inference.labels import one_by_one
from inference.local_chat import TransformersChat
from inference.pool import ModelPool
from inference.protocol import Generation

NAME = "builtin/smollm2-135m-instruct"
CAPITAL = (
    Message("system", "You answer in one word."),
    Message("user", "The capital of Italy?"),
    Message("assistant", "Rome."),
    Message("user", "And of France?"),
)


@pytest.fixture
def chat(model_pool: ModelPool) -> TransformersChat:
    chat = model_pool.chat(NAME)
    assert isinstance(chat, TransformersChat)
    return chat


def test_conversations_are_answered_in_order_with_what_they_took(chat: TransformersChat) -> None:
    short, long = Generation(max_new_tokens=2), Generation(max_new_tokens=24)
    asked = [Request(CAPITAL, long), Request(CAPITAL[1:2], short), Request(CAPITAL, long)]
    first, cut, again = chat.reply(asked)
    assert "Paris" in first[0].text
    assert again[0].text == first[0].text
    assert (first[0].finish_reason, cut[0].finish_reason) == ("stop", "length")
    assert cut[0].output_tokens == 2
    assert first[0].input_tokens is not None
    assert cut[0].input_tokens is not None
    assert first[0].input_tokens > cut[0].input_tokens
    tokens = len(chat.language.encode([first[0].text])[0])
    assert first[0].output_tokens == tokens + 1  # what ended it


def test_choices_are_the_likelihoods_of_labels(chat: TransformersChat) -> None:
    labels = ["Paris", "Rome", "a"]
    found = chat.choices([Request(CAPITAL)], labels)
    turns = [{"role": one.role, "content": one.content} for one in CAPITAL]
    context = chat.language.encode(chat.language.render_turns([turns]))[0]
    for at, ids in enumerate(chat.language.encode(labels)):
        alone = chat.language.logprobs([(context, ids)])[0].sum()
        assert found[0, at] == pytest.approx(alone, rel=1e-4)
    assert np.argmax(found) == 0


@pytest.mark.parametrize(
    "labels", [["1", "2", "3"], ["1", "10", "fairly helpful", "2"]], ids=["one token", "longer"]
)
def test_labels_that_share_a_conversation_are_as_likely_as_apart(
    model_pool: ModelPool, tiny_language_model: Path, labels: list[str]
) -> None:
    tiny = model_pool.chat(str(tiny_language_model))
    assert isinstance(tiny, TransformersChat)
    asked = [Request(CAPITAL), Request(CAPITAL[1:2]), Request(CAPITAL[3:], Generation(chat=False))]
    contexts, texts = tiny.rows(asked), tiny.language.encode(labels)
    apart = one_by_one(tiny.language, contexts, texts)
    tiny.choices(asked, labels)  # tries the model out
    before = model_pool.calls
    found = tiny.choices(asked, labels)
    assert model_pool.calls - before == (2 if max(map(len, texts)) > 1 else 1)
    assert found == pytest.approx(apart, abs=2e-5)  # sums of a few float32 of size 10


def test_what_is_too_long_is_refused(model_pool: ModelPool, tiny_language_model: Path) -> None:
    tiny = model_pool.chat(str(tiny_language_model))
    with pytest.raises(InputError, match="sees 256 at most"):
        tiny.choices([Request((Message("user", "word " * 400),))], ["1", "2"])


def test_a_model_without_a_template_says_so(chat: TransformersChat) -> None:
    template, chat.language.tokenizer.chat_template = chat.language.tokenizer.chat_template, None
    try:
        with pytest.raises(InputError, match="no chat template"):
            chat.reply([Request(CAPITAL)])
    finally:
        chat.language.tokenizer.chat_template = template
