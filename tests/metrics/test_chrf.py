"""chrF and chrF++ against sacrebleu 2.6.0: statistics and scores to the bit."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics import CHRF

from inference.errors import InputError
from inference.protocol import NoModels
from metrics.chrf import METRIC, ChrfParams
from metrics.core.metric import Item
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN, Pair, random_pairs


def rows(pairs: list[Pair], **params: Any) -> np.ndarray:
    items = [Item(output, references) for output, references in pairs]
    return METRIC.measure(items, ChrfParams(**params), NoModels())["row"]


def value(pairs: list[Pair], **params: Any) -> float:
    sums = rows(pairs, **params).sum(axis=0).astype(np.float64)
    return float(METRIC.reduce(sums, ChrfParams(**params))[0])


def sacrebleu_rows(pairs: list[Pair], **params: Any) -> np.ndarray:
    chrf = CHRF(**params)
    return np.array(
        [
            chrf._extract_corpus_statistics([output], [[one] for one in references])[0]
            for output, references in pairs
        ]
    )


# sacrebleu 2.6.0: CHRF(word_order=…).corpus_score
GOLDEN = [
    (ENGLISH, 0, 57.86790635633996),
    (ENGLISH, 2, 55.95834010160351),
    (RUSSIAN, 0, 78.51578281214577),
    (RUSSIAN, 2, 72.79586792709055),
    (CHINESE, 0, 43.888179399440645),
    (CHINESE, 2, 32.916134549580484),
    (JAPANESE, 0, 40.546016474303734),
    (JAPANESE, 2, 34.75372840654606),
]


@pytest.mark.parametrize(("pairs", "word_order", "expected"), GOLDEN)
def test_golden(pairs: list[Pair], word_order: int, expected: float) -> None:
    assert value(pairs, word_order=word_order) == pytest.approx(expected, rel=1e-13)


PARAMS: list[dict[str, Any]] = [
    {},
    {"word_order": 2},
    {"word_order": 3, "char_order": 1, "lowercase": True},
    {"whitespace": True, "beta": 1},
    {"eps_smoothing": True, "word_order": 2, "beta": 3},
    {"char_order": 12},  # too wide for a packed key
]


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_statistics_and_scores_equal_sacrebleus(params: dict[str, Any]) -> None:
    pairs = random_pairs(random.Random(1), 250) + ENGLISH + RUSSIAN + CHINESE + JAPANESE
    found = rows(pairs, **params)
    expected = sacrebleu_rows(pairs, **params)
    assert found.dtype == np.int64
    assert np.array_equal(found, expected)

    chrf = CHRF(**params)
    scores = [chrf._compute_f_score(row) for row in expected.tolist()]
    got = METRIC.bind(params).per_sample(found.astype(np.float64))
    assert got[:, 0].tolist() == scores
    total = chrf._aggregate_and_compute(expected.tolist()).score
    assert value(pairs, **params) == total
    assert 0 < total < 100


def test_the_best_reference_is_one_for_all_orders() -> None:
    """Statistics come from the reference with the best score, whichever comes first."""
    output, good, poor = "большой дом у реки", "большой дом у самой реки", "дом"
    alone = rows([(output, (good,))])
    assert np.array_equal(rows([(output, (poor, good))]), alone)
    assert np.array_equal(rows([(output, (good, poor))]), alone)
    assert not np.array_equal(rows([(output, (poor,))]), alone)


def test_large_alphabets() -> None:
    """Long Chinese texts need ranks within the pair; a text of 3,000 characters, another way."""
    rng = random.Random(2)
    alphabet = [chr(0x4E00 + n) for n in range(3000)]
    pairs: list[Pair] = []
    for _ in range(40):
        text = rng.choices(alphabet, k=150)
        pairs.append(("".join(text[20:] + text[:9]), ("".join(text),)))
    rng.shuffle(alphabet)
    pairs.append(("".join(alphabet[:2500]), ("".join(alphabet[400:]),)))
    assert np.array_equal(rows(pairs), sacrebleu_rows(pairs))


def test_many_tiny_texts_of_a_large_alphabet() -> None:
    rng = random.Random(3)
    texts = ["".join(chr(0x4E00 + rng.randrange(3000)) for _ in range(2)) for _ in range(6000)]
    pairs: list[Pair] = [(one, (rng.choice([one, other]),)) for one, other in pairwise(texts)]
    assert np.array_equal(rows(pairs), sacrebleu_rows(pairs))


def test_resampled_sums_reduce_like_their_own_rows() -> None:
    found = rows(ENGLISH + RUSSIAN).astype(np.float64)
    weights = np.random.default_rng(0).poisson(1.0, (50, len(found))).astype(np.float64)
    together = METRIC.reduce(weights @ found, ChrfParams())
    apart = [METRIC.reduce(one @ found, ChrfParams())[0] for one in weights]
    assert together[:, 0].tolist() == apart


def test_identical_texts() -> None:
    for text in "a", "ё", "Идентичный текст.", "完全相同的文本", "👩‍👩‍👧‍👦 emoji":
        assert value([(text, (text,))]) == pytest.approx(100)


def test_no_items_and_no_references() -> None:
    assert rows([], word_order=2).shape == (0, 24)
    with pytest.raises(InputError, match="reference"):
        rows([("text", ())])
