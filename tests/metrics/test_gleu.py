"""GLEU against NLTK 3.10's, of sentences and of the set, to the bit."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from nltk.translate.gleu_score import corpus_gleu, sentence_gleu

from benchmarks.texts import news
from inference.protocol import NoModels
from metrics.core.metric import Item, Sample
from metrics.core.rows import Floats
from metrics.core.run import score
from metrics.gleu import METRIC, GleuParams, reduce
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN, Pair, random_pairs


def rows(pairs: Sequence[Pair], **params: object) -> Floats:
    items = [Item(output, references) for output, references in pairs]
    bound = METRIC.bind(params)
    return np.asarray(bound.measure(items, NoModels())["row"], np.float64)


def value(pair: Pair, **params: object) -> float:
    return float(reduce(rows([pair], **params)[0], GleuParams())[0])


@pytest.mark.parametrize("order", [1, 4, 6])
def test_values_equal_nltks(order: int) -> None:
    made = news(100, 1)
    pairs: list[Pair] = [(a, (b,)) for a, b in zip(made.outputs, made.references, strict=True)]
    pairs += random_pairs(random.Random(1), 200)
    pairs += ENGLISH + RUSSIAN + CHINESE + JAPANESE
    found = rows(pairs, tokenizer="whitespace", max_order=order)
    outputs = [output.split() for output, _ in pairs]
    references = [[one.split() for one in several] for _, several in pairs]
    for row, output, several in zip(found, outputs, references, strict=True):
        theirs = sentence_gleu(several, output, max_len=order)
        assert (float(reduce(row, GleuParams())[0]) if row[1] else 0.0) == theirs
    total = float(reduce(found.sum(0), GleuParams())[0])
    assert total == corpus_gleu(references, outputs, max_len=order)
    assert 0.1 < total < 0.9


def test_by_hand() -> None:
    the: Pair = ("the the the the the the the", ("the cat is on the mat",))
    assert value(the) == 2 / 22  # NLTK's documented 0.0909
    assert value(("a b", ("a c", "a b"))) == 1
    assert value(("", ("a b",))) == 0
    assert value(("А б", ("а б",))) == 0 + 1 / 3
    assert value(("А б", ("а б",)), lowercase=True) == 1


@pytest.mark.parametrize("text", ["东京今天有雨。", "القاهرة عاصمة مصر", "👍🏽 🇷🇺", "Москва!"])
def test_any_script(text: str) -> None:
    assert value((text, (text,))) == 1


def test_scripts_without_spaces_match_in_part() -> None:
    assert value(("明天东京有雨", ("明天北京有雨",))) == 9 / 18
    assert value(("明天东京有雨", ("明天北京有雨",)), tokenizer="whitespace") == 0


def test_texts_without_words_have_no_value() -> None:
    (found,) = score([Sample("1", ("a b",), ("a b",)), Sample("2", ("",), ("",))], [METRIC.bind()])
    assert found.scores[0].value == 1
    assert found.per_sample is not None
    assert np.isnan(found.per_sample[1, 0])


def test_long_texts_end_in_time() -> None:
    alike, apart = "a " * 100_000, " ".join(map(str, range(100_000)))
    assert value((alike, (apart,))) == 0
    assert value((apart, (apart,))) == 1
