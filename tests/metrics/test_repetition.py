"""seq-rep-n against the definition, and the interval against the truth."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.texts import news
from metrics.core.evidence import Column
from metrics.core.metric import Sample
from metrics.core.result import Result
from metrics.core.run import score
from metrics.repetition import METRIC
from metrics.text import repeats


def result(texts: Sequence[str], **params: object) -> Result:
    samples = [Sample(str(at), (text,)) for at, text in enumerate(texts)]
    return score(samples, [METRIC.bind(params)])[0]


def value(text: str, **params: object) -> float | None:
    return result([text], **params).scores[0].value


def plain(text: str, n: int) -> float:
    tokens = text.split()
    grams = [tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_values_are_the_definitions(n: int) -> None:
    draw = random.Random(n)
    texts = news(50, 1).outputs + [
        " ".join(draw.choices(["a", "b", "да", "漢"], k=30)) for _ in range(50)
    ]
    values = result(texts, n=n, tokenizer="whitespace", lowercase=False).per_sample
    assert values is not None
    assert values[:, 0].tolist() == [plain(text, n) for text in texts]


@pytest.mark.parametrize(
    ("text", "n", "expected"),
    [
        ("a b c d e", 4, 0.0),
        ("da da da da da da", 4, pytest.approx(2 / 3)),
        ("Да, да! ДА.", 1, pytest.approx(2 / 3)),
        ("好好好好", 2, pytest.approx(2 / 3)),
        ("👍🏽👍🏽👍🏽", 1, pytest.approx(2 / 3)),
        ("نعم نعم", 1, 0.5),
        ("one two three", 4, None),
        ("", 1, None),
        ("...", 1, None),
    ],
)
def test_by_hand(text: str, n: int, expected: float | None) -> None:
    assert value(text, n=n) == expected


def test_short_outputs_are_missing_and_told() -> None:
    found = result(["a b c d e", "a b"]).scores[0]
    assert (found.value, found.missing) == (0.0, 1)
    assert any("fewer than n tokens" in warning for warning in found.warnings)


def test_the_interval_covers() -> None:
    """Sets of 40 outputs, three quarters of which repeat nothing: 95 of 100 hold the true mean."""
    population = [
        "a b c d e f g h i",
        "a b a b a b a b a",
        "a b c a b c a b c",
        "a a a a a a a a a",
    ]
    weights = [0.75, 0.1, 0.1, 0.05]
    truth = np.dot([plain(text, 4) for text in population], weights)
    draw = random.Random(0)
    covered = []
    for _ in range(200):
        interval = result(draw.choices(population, weights, k=40)).scores[0].interval
        assert interval is not None
        covered.append(interval[0] <= truth <= interval[1])
    assert np.mean(covered) >= 0.91


def test_long_loops_end_in_time() -> None:
    assert value("a " * 200_000, n=64) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("n", [1, 3, 9])
def test_counting_one_by_one_is_counting_together(n: int) -> None:
    draw = np.random.default_rng(n)
    lengths = draw.integers(0, 30, 60)
    texts = Column(draw.integers(0, 2, int(lengths.sum())), lengths)
    together = repeats.repeated(texts, n)
    assert together.any()
    assert together.tolist() == repeats._one_by_one(texts, n).tolist()


def test_ngrams_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "ODD", np.uint64(0))  # all n-grams share a hash
    texts = ["a b c a b", "a b", "c c c"]
    values = result(texts, n=2, tokenizer="whitespace").per_sample
    assert values is not None
    assert values[:, 0].tolist() == [0.25, 0.0, 0.5]
