"""Token F1, live against the SQuAD metric that ships in lm-eval."""

from __future__ import annotations

import random

import pytest
from lm_eval.tasks.super_glue.record.t5_utils import squad_f1_agg

from inference.protocol import NoModels
from metrics import find
from metrics.core.measure import items_of
from metrics.core.measure import measure as measure_items
from metrics.core.metric import Sample
from metrics.token_f1 import METRIC

WORDS = ["the", "The", "a", "cat", "Cats", "sat", "sat", "it's", "on", "mat.", "mat", "3.5", "U.S."]
WORDS += ["Ёж", "ёж", "в", "тумане", "«да»", "猫", "漢字", "😀", "—", "", "well-known", "naïve"]


def values(samples: list[Sample], how: str = "unicode") -> list[float]:
    metric = METRIC.bind({"normalization": how})
    items, unit = items_of(samples)
    rows = metric.settle(measure_items(metric, items, NoModels()), unit).rows
    return [float(value) for value in metric.per_sample(rows)[:, 0]]


def one(output: str, *references: str, how: str = "unicode") -> float:
    return values([Sample("1", (output,), references)], how)[0]


def test_equals_squad() -> None:
    draw = random.Random(0)

    def phrase() -> str:
        return " ".join(draw.choices(WORDS, k=draw.randrange(8)))

    samples = [
        Sample(str(index), (phrase(),), tuple(phrase() for _ in range(draw.randrange(1, 4))))
        for index in range(3000)
    ]
    theirs = [
        squad_f1_agg([(sample.outputs[0], f"0_{reference}") for reference in sample.references])
        for sample in samples
    ]
    assert values(samples, "squad") == pytest.approx(theirs, abs=1e-15)
    assert 0.1 < sum(theirs) / len(theirs) < 0.9


@pytest.mark.parametrize(
    ("output", "reference", "unicode", "squad"),
    [
        ("the cat sat", "a cat sat down", 4 / 7, 0.8),
        ("cat cat cat", "cat", 0.5, 0.5),  # bags, not sets
        ("Мама мыла раму.", "мама «мыла» окно", 2 / 3, 1 / 3),
        ("我爱北京", "我爱上海", 0.5, 0.0),  # characters are words
        ("東京タワー", "東京", 4 / 7, 0.0),
        ("😀 да", "😀", 2 / 3, 2 / 3),
        ("", "", 0.0, 0.0),
        ("x", "", 0.0, 0.0),
        ("", "x", 0.0, 0.0),
    ],
)
def test_values(output: str, reference: str, unicode: float, squad: float) -> None:
    assert one(output, reference) == pytest.approx(unicode)
    assert one(output, reference, how="squad") == pytest.approx(squad)


def test_best_reference_counts() -> None:
    assert one("ёж в тумане", "лошадь", "Ёж в тумане!", "ёж") == 1.0


def test_never_below_exact_match() -> None:
    texts = ["Да.", "мама мыла", "x y z", "猫"]
    samples = [Sample(t, (t,), (u,)) for t in texts for u in texts]
    items, _ = items_of(samples)
    matches = find("exact_match").bind().measure(items, NoModels())["row"][:, 0]
    assert all(f1 >= match for f1, match in zip(values(samples), matches.tolist(), strict=True))


def test_outputs_average() -> None:
    samples = [Sample("1", ("a b", "c d"), ("a b",)), Sample("2", ("q",), ("a b",))]
    assert values(samples) == [0.5, 0.0]
