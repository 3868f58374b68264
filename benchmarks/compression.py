"""Compression against a loop over texts by hand: SmolLM2 with a cache, coded and decoded again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bertscore import one_thread
from benchmarks.comparing import Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, english
from inference.pool import ModelPool
from metrics import find
from metrics.core.rows import Floats

MODEL = "builtin/smollm2-135m-instruct"


def rows(scale: float) -> Iterator[Row]:
    cache = os.environ.get("ASSAY_TEST_CACHE")  # else the builtin model is converted again
    with tempfile.TemporaryDirectory() as folder, one_thread():
        yield _row(ModelPool([], Path(cache or folder)), scale)


def _row(pool: ModelPool, scale: float) -> Row:
    model: Any = pool.language(MODEL)
    metric = find("compression").bind({"model": MODEL})
    inputs = [english(max(2, int(5 * scale)), 0)]

    def ours(pairs: Pairs) -> Floats:
        return rows_of(metric, pairs.samples, pool)[:, 1]

    def theirs(pairs: Pairs) -> Floats:
        return np.array([_by_hand(model, text) for text in pairs.outputs])

    found = in_turns(inputs, ours, theirs)
    difference = max(furthest(a / b, 1 + 0 * b) for a, b in found.results)
    what = f"compression, {len(inputs[0].samples)} texts, against transformers and constriction"
    agreement = f"ideal bits, largest relative difference {difference:.1g}"  # other batches
    return ratio(what, found, 1.2, agreement, agrees=difference < 2**-16)


def _by_hand(model: Any, text: str) -> float:
    """A text alone, there and back."""
    import constriction

    tokens = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    family = constriction.stream.model.Categorical(perfect=False)
    encoder = constriction.stream.queue.RangeEncoder()
    bits = 0.0
    for token, odds in zip(tokens, _odds(model, iter([model.bos_id, *tokens])), strict=False):
        encoder.encode(np.array([token], np.int32), family, odds)
        bits -= float(np.log2(odds[0, token]))
    decoder = constriction.stream.queue.RangeDecoder(encoder.get_compressed())
    back = [model.bos_id]
    for odds in _odds(model, iter(back)):
        back.append(int(decoder.decode(family, odds)[0]))
        if len(back) > len(tokens):
            break
    assert back[1:] == tokens
    return bits


def _odds(model: Any, tokens: Iterator[int]) -> Iterator[Any]:
    import torch

    cache = None
    for token in tokens:
        with torch.inference_mode():
            out = model.model(torch.tensor([[token]]), past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        yield torch.softmax(out.logits[:, -1], -1).numpy()
