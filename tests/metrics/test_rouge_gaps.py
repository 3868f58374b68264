"""ROUGE-W and ROUGE-S against Lin's examples, and his definitions as plain loops."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from metrics import find
from metrics.core.metric import Sample
from metrics.core.rows import Floats
from metrics.core.run import score
from metrics.rouge_w import NO_WORDS, f1
from metrics.text.weighted_lcs import weighted
from metrics.text.words import unicode_words
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN, Pair, random_pairs
from tests.metrics.rouge_loops import rouge_s, rouge_w, wlcs

ARABIC: list[Pair] = [("هذا كتاب جديد جدا", ("هذا كتاب قديم جدا", "كتاب جديد"))]
EMOJI: list[Pair] = [("It works 🎉 at last", ("It works at last 👍",))]
PAIRS = random_pairs(random.Random(3), 120) + ENGLISH + RUSSIAN + CHINESE + JAPANESE
PAIRS += ARABIC + EMOJI
PAIRS = [pair for pair in PAIRS if "\ud800" not in "".join([pair[0], *pair[1]])]


def values(name: str, pairs: list[Pair], **params: float) -> tuple[Floats, list[bool]]:
    samples = [Sample(str(at), (one,), references) for at, (one, references) in enumerate(pairs)]
    (result,) = score(samples, [find(name).bind(params)])
    assert result.per_sample is not None
    return result.per_sample, result.missing.tolist()


def known(references: tuple[str, ...]) -> list[list[str]]:
    return [words for words in map(unicode_words, references) if words]


def test_lins_sequences() -> None:
    """X against Y1 and Y2, whose runs are 4 and 1 long, of squares: 0.571 and 0.286."""
    x, y1, y2 = ([ord(one) for one in text] for text in ("ABCDEFG", "ABCDHIK", "AHBKCID"))
    near, far = weighted([(x, y1), (x, y2)], 2.0).tolist()
    assert (near, far) == (16, 4)
    assert round(f1(near, 7, 7, 2.0), 3) == 0.571
    assert round(f1(far, 7, 7, 2.0), 3) == 0.286


@pytest.mark.parametrize(
    ("output", "want"),
    [
        ("police kill the gunman", 3 / 6),
        ("the gunman kill police", 1 / 6),
        ("the gunman police killed", 2 / 6),
        ("gunman the killed police", 0),
    ],
)
def test_lins_sentences(output: str, want: float) -> None:
    found, _ = values("rouge_s", [(output, ("police killed the gunman",))])
    assert found[0, 0] == pytest.approx(want)
    assert found[0, 1] > found[0, 0]  # words count


@pytest.mark.parametrize("weight", [1.0, 1.2, 2.0])
def test_rouge_w_is_the_definition(weight: float) -> None:
    found, missing = values("rouge_w", PAIRS, weight=weight)
    for value, lacking, (output, references) in zip(found[:, 0], missing, PAIRS, strict=True):
        words = known(references)
        assert lacking == (not words)
        if words:
            each = [rouge_w(unicode_words(output), one, weight) for one in words]
            assert value == pytest.approx(max(each), rel=1e-14)
    assert 0.1 < np.nanmean(found) < 0.9


@pytest.mark.parametrize("skip", [0, 4, 30])
def test_rouge_s_is_the_definition(skip: int) -> None:
    found, missing = values("rouge_s", PAIRS, max_skip=skip)
    for value, lacking, (output, references) in zip(found, missing, PAIRS, strict=True):
        words = known(references)
        assert lacking == (not words)
        for at, unigrams in enumerate((False, True) if words else ()):
            each = [rouge_s(unicode_words(output), one, skip, unigrams) for one in words]
            assert value[at] == pytest.approx(max(each), rel=1e-14)
    assert 0.05 < np.nanmean(found) < 0.9


def test_the_table_is_the_loops_to_the_bit() -> None:
    draw = random.Random(5)
    pairs = [
        tuple([draw.randrange(6) for _ in range(draw.randrange(1, 60))] for _ in range(2))
        for _ in range(200)
    ]
    found = weighted([(one, other) for one, other in pairs], 1.2)
    assert found.tolist() == [wlcs(one, other, 1.2) for one, other in pairs]
    assert weighted([([], [1]), ([1], []), ([], [])], 1.2).tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["rouge_w", "rouge_s"])
def test_equal_texts_and_texts_without_words(name: str) -> None:
    text = "Мама мыла раму. 今天天气很好"
    found, missing = values(name, [(text, (text,)), ("", (text,)), (text, ("🙂", "")), ("", ("",))])
    assert found[0].tolist() == pytest.approx([1] * found.shape[1])
    assert found[1].tolist() == [0] * found.shape[1]
    assert missing == [False, False, True, True]
    assert NO_WORDS == 1


@pytest.mark.parametrize("name", ["rouge_w", "rouge_s"])
def test_long_texts_take_seconds(name: str) -> None:
    """What is too long to be compared is missing."""
    start = time.perf_counter()
    long = "word other " * 50_000
    _, missing = values(name, [(long, (long,)), ("word", (long,))])
    assert missing == [name == "rouge_w", False]
    assert time.perf_counter() - start < 20
