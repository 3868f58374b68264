"""Type-token ratios against the definitions, window by window."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.texts import news
from metrics.core.metric import Sample
from metrics.core.result import Result
from metrics.core.run import score
from metrics.vocabulary import METRIC


def result(texts: Sequence[str], **params: object) -> Result:
    samples = [Sample(str(at), (text,)) for at, text in enumerate(texts)]
    return score(samples, [METRIC.bind(params)])[0]


def values(text: str, **params: object) -> list[float | None]:
    return [found.value for found in result([text], **params).scores]


def moving(words: list[str], window: int) -> float:
    """As the lexical-diversity package does it."""
    width = min(window, len(words))
    windows = [words[at : at + width] for at in range(len(words) - width + 1)]
    return sum(len(set(one)) / len(one) for one in windows) / len(windows)


@pytest.mark.parametrize("window", [1, 7, 25, 1000])
def test_values_are_the_definitions(window: int) -> None:
    draw = random.Random(window)
    texts = news(50, 1).outputs + [
        " ".join(draw.choices(["a", "b", "да", "漢", "c", "d"], k=draw.randrange(1, 60)))
        for _ in range(50)
    ]
    found = result(texts, window=window, tokenizer="whitespace", lowercase=False).per_sample
    assert found is not None
    for text, (ttr, mattr) in zip(texts, found, strict=True):
        words = text.split()
        assert ttr == len(set(words)) / len(words)
        assert mattr == pytest.approx(moving(words, window), rel=1e-13)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Да, да! Нет.", [2 / 3, 0.75]),
        ("the cat the dog", [0.75, 1]),
        ("好好学习", [0.75, 2.5 / 3]),
        ("👍🏽👍🏽👎", [2 / 3, 0.75]),
        ("نعم لا", [1, 1]),
        ("word", [1, 1]),
        ("", [None, None]),
        ("—", [None, None]),
    ],
)
def test_by_hand(text: str, expected: list[float | None]) -> None:
    assert values(text, window=2) == [
        one if one is None else pytest.approx(one) for one in expected
    ]


def test_outputs_without_words_are_missing_and_told() -> None:
    found = result(["a b a b", ""]).scores[0]
    assert (found.value, found.missing) == (0.5, 1)
    assert any("no words" in warning for warning in found.warnings)


def test_the_interval_covers() -> None:
    """Sets of 40 outputs of unlike lengths: 95 of 100 intervals hold the true mean."""
    draw = random.Random(0)
    population = [
        " ".join(draw.choices("abcdefghijklmnop", k=draw.randrange(1, 40))) for _ in range(300)
    ]
    everything = result(population, window=10)
    truth = np.array([found.value for found in everything.scores])
    covered = []
    for _ in range(200):
        scores = result(draw.choices(population, k=40), window=10).scores
        ends = np.array([found.interval for found in scores])
        covered.append((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    assert np.all(np.mean(covered, axis=0) >= 0.91)


def test_long_texts_end_in_time() -> None:
    text = " ".join(map(str, range(200_000)))
    assert values(text, window=100_000) == [1, 1]
