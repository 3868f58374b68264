"""Texts rewritten by an encoder-decoder: transformers' own `generate`, one text at a time."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from inference.errors import InputError
from inference.pool import ModelPool
from tests.metrics.entailment.texts import SOURCES

TEXTS = [
    *(f"generate question: <hl> {text[:9]} <hl> {text[9:]}" for text in SOURCES.values()),
    "",
]


@cache
def loaded(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    return AutoTokenizer.from_pretrained(folder), model


def by_hand(folder: Path, text: str, num_beams: int, max_new_tokens: int = 20) -> str:
    import torch

    tokenizer, model = loaded(folder)
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        out = model.generate(
            ids, max_new_tokens=max_new_tokens, num_beams=num_beams, do_sample=False
        )
    return str(tokenizer.decode(out[0], skip_special_tokens=True)).strip()


@pytest.mark.parametrize("num_beams", [1, 4])
def test_equals_generate(num_beams: int, tiny_questions: Path, model_pool: ModelPool) -> None:
    model = model_pool.seq2seq(tiny_questions.name)
    found, cut = model.rewrite(TEXTS, max_new_tokens=20, num_beams=num_beams)
    assert found == [by_hand(tiny_questions, text, num_beams) for text in TEXTS]
    assert cut == [False] * len(TEXTS)
    assert len(set(found)) > 3
    assert model.rewrite(TEXTS, max_new_tokens=20, num_beams=num_beams)[0] == found


def test_equal_texts_are_read_once_and_long_ones_lose_their_end(
    tiny_questions: Path, model_pool: ModelPool
) -> None:
    model = model_pool.seq2seq(tiny_questions.name)
    long = "слово " * 900
    before = model_pool.calls
    found, cut = model.rewrite([long, TEXTS[0], long], max_new_tokens=1)
    assert cut == [True, False, True]
    assert found[0] == found[2]
    assert model_pool.calls - before <= 4  # two texts, each through the encoder and the decoder
    assert model.rewrite([]) == ([], [])


def test_other_models_are_refused(tiny_nli: Path, model_pool: ModelPool) -> None:
    with pytest.raises(InputError, match="no encoder-decoder"):
        model_pool.seq2seq(tiny_nli.name)
