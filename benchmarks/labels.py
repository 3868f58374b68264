"""How likely a judge's labels are: a question read once for all, against once for each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.comparing import Row, furthest, in_turns, ratio
from benchmarks.texts import english
from inference.chat import Message, Request
from inference.labels import label_logprobs, one_by_one
from inference.local_chat import TransformersChat
from inference.pool import ModelPool

MODEL = "builtin/smollm2-135m-instruct"
QUESTIONS = 8
LABELS = {
    "5 labels of a token": (["1", "2", "3", "4", "5"], 3.0),
    "5 labels of two and three": (
        ["10", "25", "not helpful", "rather helpful", "very helpful"],
        2.0,
    ),
}  # and how many times as fast they have to be
ROUNDING = 1e-3  # sums of a few float32 logarithms, of 49,152 logits that are up to 40


def rows(scale: float) -> Iterator[Row]:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    questions = max(1, int(QUESTIONS * scale))
    texts = english(questions, seed=5).outputs
    with tempfile.TemporaryDirectory() as folder:
        cache = os.environ.get("ASSAY_TEST_CACHE")
        chat = ModelPool([], Path(cache or folder)).chat(MODEL)
        assert isinstance(chat, TransformersChat)
        language = chat.language
        for name, (labels, required) in LABELS.items():
            encoded = language.encode(labels)
            label_logprobs(language, [[1, 2, 3]], encoded)  # tries the model out
            inputs = [chat.rows([asked(text) for text in texts])]
            shared = partial(label_logprobs, language, labels=encoded)
            found = in_turns(inputs, shared, partial(one_by_one, language, labels=encoded))
            apart = max(furthest(ours, theirs) for ours, theirs in found.results)
            what = f"likelihoods of {name} after {len(inputs[0])} questions, shared and one by one"
            yield ratio(what, found, required, f"within {apart:.0e}", apart < ROUNDING)


def asked(text: str) -> Request:
    """A judge's question, of some 200 tokens."""
    rubric = "Grade how helpful the answer is to the one who asks, from 1 to 5. " * 6
    return Request((Message("user", f"{rubric}\n\nAnswer: {text}\n\nYour grade:"),))
