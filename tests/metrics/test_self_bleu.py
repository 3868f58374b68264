"""Self-BLEU against NLTK 3.10's, to the bit, what leaving out takes, and the interval."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from benchmarks.texts import news
from inference.protocol import NoModels
from metrics.core.metric import Item, Sample
from metrics.core.result import Result
from metrics.core.rows import Settled
from metrics.core.run import score
from metrics.self_bleu import METRIC


def settled(texts: Sequence[str], unit: Sequence[int] | None = None, **params: object) -> Settled:
    bound = METRIC.bind({"tokenizer": "whitespace", **params})
    evidence = bound.measure([Item(text) for text in texts], NoModels())
    return bound.settle(evidence, np.arange(len(texts)) if unit is None else np.array(unit))


def result(texts: Sequence[str], **params: object) -> Result:
    samples = [Sample(str(at), (text,)) for at, text in enumerate(texts)]
    return score(samples, [METRIC.bind(params)])[0]


def nltks(texts: Sequence[str], order: int = 4) -> list[float]:
    tokens = [text.split() for text in texts]
    smooth = SmoothingFunction().method1
    weights = (1 / order,) * order
    return [
        float(sentence_bleu(tokens[:at] + tokens[at + 1 :], one, weights, smooth))
        for at, one in enumerate(tokens)
    ]


def random_texts(seed: int) -> list[str]:
    draw = random.Random(seed)
    words = ["a", "b", "c", "да", "нет", "漢", "😀"]
    return [
        " ".join(draw.choices(words, k=draw.randrange(1, 9))) for _ in range(draw.randrange(2, 25))
    ]


@pytest.mark.parametrize("order", [1, 3, 4, 5])
@pytest.mark.parametrize("texts", [news(60, 1).outputs, *map(random_texts, range(8))])
def test_values_equal_nltks(texts: list[str], order: int) -> None:
    assert settled(texts, max_order=order).rows[:, 0].tolist() == nltks(texts, order)


@pytest.mark.parametrize("seed", range(20))
def test_loss_is_what_leaving_out_loses(seed: int) -> None:
    """Of units of one text, and of several."""
    texts, draw = random_texts(seed), random.Random(seed)
    grouped = [draw.randrange(4) for _ in texts] if seed % 2 else list(range(len(texts)))
    unit = np.unique(grouped, return_inverse=True)[1].tolist()
    whole = settled(texts, unit)
    assert whole.loss is not None
    for left_out in range(max(unit) + 1):
        rest = [text for text, one in zip(texts, unit, strict=True) if one != left_out]
        remains = whole.rows.sum(0) - whole.loss[left_out]
        assert remains[1] == len(rest)
        if len(rest) > 1:
            assert remains[0] == pytest.approx(sum(nltks(rest)), abs=1e-12)


def test_by_hand() -> None:
    """Two alike and one apart; one of three words shared, by the second of two lengths."""
    found = result(["кот спит на диване"] * 2 + ["завтра будет сильный дождь"]).scores[0]
    assert found.value == pytest.approx(2 / 3)
    rows = settled(["a b c", "a d"], max_order=1).rows[:, 0]
    assert rows.tolist() == pytest.approx([1 / 3, 0.5 * np.exp(1 - 3 / 2)])


@pytest.mark.parametrize(
    "text", ["东京今天有雨。", "القاهرة عاصمة مصر الكبيرة", "👍🏽🇷🇺👍🏽🇷🇺", "Да, да, да, да!"]
)
def test_any_script(text: str) -> None:
    assert result([text, text, text]).scores[0].value == pytest.approx(1)


def test_several_outputs_are_outputs_like_others() -> None:
    texts = random_texts(3)[:6]
    together = settled(texts, [0, 0, 1, 1, 2, 2]).rows
    assert together.sum(0).tolist() == pytest.approx(settled(texts).rows.sum(0).tolist())
    assert together.shape == (3, 2)


def test_what_has_no_value_says_so() -> None:
    alone = result(["one text"]).scores[0]
    assert alone.value is None
    assert "two outputs" in f"{alone.error} {alone.warnings}"
    found = result(["a b c d", "", "a b c d", "..."]).scores[0]
    assert found.value == pytest.approx(1)
    assert found.missing == 2
    assert any("no words" in warning for warning in found.warnings)
    assert result(["", "..."]).scores[0].value is None


@pytest.mark.parametrize("size", [20, 50])
def test_the_interval_covers(size: int) -> None:
    """Sets drawn of texts with stock phrases: nearly all intervals hold their mean value."""
    population = news(2000, 1).outputs
    stock = ["I think that it is", "As far as I know"]
    population = [f"{stock[at % 2]} {one}" if at % 3 else one for at, one in enumerate(population)]
    draw = random.Random(size)
    values, ends = [], []
    for _ in range(100):
        found = result(draw.sample(population, size)).scores[0]
        assert found.interval is not None
        values.append(found.value)
        ends.append(found.interval)
    low, high = np.array(ends).T
    truth = np.mean(np.array(values, np.float64))
    assert np.mean((low <= truth) & (truth <= high)) >= 0.9
    assert np.mean(high - low) < 0.5


def test_large_sets_end_in_time() -> None:
    """Texts of a hundred thousand equal words, thousands of equal texts, and of unlike lengths."""
    for texts in (
        ["a " * 100_000] * 3,
        ["a b c d e"] * 20_000,
        ["x " * length for length in range(1, 1000)],
    ):
        assert 0 < settled(texts).rows[:, 0].mean() <= 1 + 1e-12
