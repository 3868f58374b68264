"""A model that runs here answers conversations as `transformers` does by itself."""

from __future__ import annotations

import numpy as np
import pytest

from inference.chat import Message, Request
from inference.errors import InputError
from inference.local_chat import LocalChat
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
def chat(model_pool: ModelPool) -> LocalChat:
    chat = model_pool.chat(NAME)
    assert isinstance(chat, LocalChat)
    return chat


def test_conversations_are_answered_in_order_with_what_they_took(chat: LocalChat) -> None:
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


def test_choices_are_the_likelihoods_of_labels(chat: LocalChat) -> None:
    labels = ["Paris", "Rome", "a"]
    found = chat.choices([Request(CAPITAL)], labels)
    turns = [{"role": one.role, "content": one.content} for one in CAPITAL]
    context = chat.language.encode(chat.language.render_turns([turns]))[0]
    for at, ids in enumerate(chat.language.encode(labels)):
        alone = chat.language.logprobs([(context, ids)])[0].sum()
        assert found[0, at] == pytest.approx(alone, rel=1e-4)
    assert np.argmax(found) == 0


def test_a_model_without_a_template_says_so(chat: LocalChat) -> None:
    template, chat.language.tokenizer.chat_template = chat.language.tokenizer.chat_template, None
    try:
        with pytest.raises(InputError, match="no chat template"):
            chat.reply([Request(CAPITAL)])
    finally:
        chat.language.tokenizer.chat_template = template
