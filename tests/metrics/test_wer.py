"""WER and CER, live against jiwer."""

from __future__ import annotations

import random

import jiwer
import pytest

from metrics import find
from metrics.core.metric import Sample
from metrics.core.run import score
from tests.metrics.lexical_texts import CHINESE, ENGLISH, JAPANESE, RUSSIAN, random_text

THEIRS = {"wer": jiwer.wer, "cer": jiwer.cer}
TEXTS = [pair for pair in ENGLISH + RUSSIAN + CHINESE + JAPANESE if pair[1][0]]


def value(name: str, *samples: Sample, normalization: str = "none") -> float:
    (result,) = score(list(samples), [find(name).bind({"normalization": normalization})])
    return float(result.scores[0].value or 0.0)


def plain(text: str) -> str:
    """Jiwer splits at spaces alone; samples are Unicode."""
    return " ".join(text.replace("\ud800", " ").split())


@pytest.mark.parametrize("name", ["wer", "cer"])
def test_equals_jiwer(name: str) -> None:
    draw = random.Random(0)
    odd = [(plain(random_text(draw, 30)), plain(random_text(draw, 30))) for _ in range(400)]
    pairs = [(plain(output), plain(reference)) for output, (reference, *_) in TEXTS]
    pairs += [(a, b) for a, b in odd if b]  # jiwer has no rate of empty references
    samples = [Sample(str(i), (a,), (b,)) for i, (a, b) in enumerate(pairs)]
    outputs, references = map(list, zip(*pairs, strict=True))
    assert value(name, *samples) == THEIRS[name](references, outputs)
    (result,) = score(samples, [find(name).bind()])
    alone = [THEIRS[name](reference, output) for output, reference in pairs]
    assert result.per_sample is not None
    assert result.per_sample[:, 0].tolist() == alone


@pytest.mark.parametrize("name", ["wer", "cer"])
def test_equals_jiwer_on_long_texts(name: str) -> None:
    draw = random.Random(1)
    outputs, references = (
        [" ".join(draw.choices(["да", "нет", "é", "well", "x"], k=200)) for _ in range(5)]
        for _ in range(2)
    )
    samples = [Sample(str(i), (outputs[i],), (references[i],)) for i in range(5)]
    assert value(name, *samples) == THEIRS[name](references, outputs)


@pytest.mark.parametrize(
    ("name", "normalization", "expected"),
    [
        ("wer", "none", 1.0),
        ("wer", "unicode", 1 / 6),
        ("cer", "none", 2 / 7),
        ("cer", "unicode", 1 / 6),
    ],
)
def test_normalised(name: str, normalization: str, expected: float) -> None:
    sample = Sample("1", ("明天东京有雨",), ("明天北京有雨。",))
    assert value(name, sample, normalization=normalization) == pytest.approx(expected)


def test_the_reference_with_the_lowest_rate_counts() -> None:
    sample = Sample("1", ("a b c d",), ("x", "a b c d e f g h", "a b c"))
    assert value("wer", sample) == pytest.approx(1 / 3)


def test_long_samples_weigh_more_and_outputs_are_pooled() -> None:
    long, short = (
        Sample("1", ("a b c d e f g x",), ("a b c d e f g h",)),
        Sample("2", ("x",), ("y",)),
    )
    assert value("wer", long, short) == pytest.approx(2 / 9)
    assert value("wer", Sample("1", ("a b", "x y"), ("a b",))) == pytest.approx(2 / 4)


def test_a_reference_without_words_has_no_rate_of_its_own() -> None:
    empty = Sample("1", ("a b",), ("",))
    (result,) = score([empty, Sample("2", ("a",), ("a",))], [find("wer").bind()])
    assert result.scores[0].value == 2.0
    (both,) = score([Sample("1", ("",), ("",))], [find("wer").bind()])
    assert both.scores[0].value == 0.0
