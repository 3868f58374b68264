"""Exact match, live against the SQuAD metric that ships in lm-eval."""

from __future__ import annotations

import random

import numpy as np
import pytest
from lm_eval.tasks.super_glue.record.t5_utils import squad_em_agg

from inference.errors import InputError
from inference.protocol import NoModels
from metrics.core.measure import items_of
from metrics.core.measure import measure as measure_items
from metrics.core.metric import BoundMetric, Item, Sample
from metrics.core.run import score
from metrics.exact_match import METRIC
from metrics.text.normalization import normalize

PIECES = ["the", "The", "a", "An", "cat", "Cats", "it's", "its", "3.5", "3,5", "U.S.", "  ", "\t"]
PIECES += ["naïve", "Ёж", "ёж", "театр", "—", "«да»", "“yes”", "漢字", "猫", "。", "😀", "İ", "ß"]
PIECES += ["", "!", "?", "-", "well-known", "theatre", "a-b", "$5", "anthem"]


def phrase(draw: random.Random) -> str:
    return draw.choice(["", " "]).join(draw.choices(PIECES, k=draw.randrange(5)))


def values(samples: list[Sample], metric: BoundMetric) -> list[float]:
    items, unit = items_of(samples)
    evidence = measure_items(metric, items, NoModels())
    rows = metric.settle(evidence, unit).rows
    return [float(value) for value in metric.per_sample(rows)[:, 0]]


def test_equals_squad() -> None:
    draw = random.Random(0)
    metric = METRIC.bind({"normalization": "squad"})
    samples = []
    for index in range(3000):
        references = tuple(phrase(draw) for _ in range(draw.randrange(1, 4)))
        samples.append(Sample(str(index), (phrase(draw),), references))
    theirs = [
        squad_em_agg([(sample.outputs[0], f"0_{reference}") for reference in sample.references])
        for sample in samples
    ]
    assert values(samples, metric) == theirs
    assert 0.05 < np.mean(theirs) < 0.95


@pytest.mark.parametrize(
    ("output", "reference", "none", "unicode", "squad"),
    [
        ("Paris", "Paris", 1, 1, 1),
        ("paris.", "Paris", 0, 1, 1),
        ("the Paris", "Paris", 0, 0, 1),  # articles are English, and only squad drops them
        ("«Париж»!", "париж", 0, 1, 0),  # guillemets are no ASCII punctuation
        ("ёж", "еж", 0, 0, 0),
        ("ё", "\u0435\u0308", 0, 1, 0),  # composed or not
        ("東京。", "東京", 0, 1, 0),
        ("ＡＢＣ", "abc", 0, 1, 0),  # full-width letters
        ("STRASSE", "Straße", 0, 1, 0),
        ("x\u00a0b", "x  b", 0, 1, 1),
        ("😀", "😀", 1, 1, 1),
        ("😀", "😁", 0, 0, 0),
        ("", "", 1, 1, 1),
        ("...", "", 0, 1, 1),
        ("", "x", 0, 0, 0),
        ("5 $", "5", 0, 0, 1),  # a currency sign is a symbol, not punctuation, to Unicode
        ("2+2", "22", 0, 0, 1),
    ],
)
def test_normalisations(output: str, reference: str, none: int, unicode: int, squad: int) -> None:
    found = [
        values([Sample("1", (output,), (reference,))], METRIC.bind({"normalization": how}))[0]
        for how in ("none", "unicode", "squad")
    ]
    assert found == [none, unicode, squad]


def test_unicode_normalisation_is_stable() -> None:
    """Normalising what is normalised changes nothing: no order of steps is hidden in it."""
    draw = random.Random(1)
    texts = [phrase(draw) for _ in range(500)]
    texts += ["".join(chr(draw.randrange(0x20, 0x2FFF)) for _ in range(20)) for _ in range(500)]
    for text in texts:
        once = normalize(text, "unicode")
        assert normalize(once, "unicode") == once
        assert once == once.strip()
        assert "  " not in once


def test_outputs_average_and_samples_average() -> None:
    samples = [
        Sample("1", ("Да", "нет", "да!", "no"), ("да", "yes")),
        Sample("2", ("x",), ("y",)),
    ]
    metric = METRIC.bind()
    assert values(samples, metric) == [0.5, 0.0]
    items, unit = items_of(samples)
    rows = metric.settle(measure_items(metric, items, NoModels()), unit).rows
    assert metric.reduce(rows.sum(0)).tolist() == [0.25]


def test_shares_have_wilson_intervals() -> None:
    samples = [Sample(str(index), ("да" if index % 4 else "нет",), ("Да",)) for index in range(40)]
    (result,) = score(samples, [METRIC.bind()])
    (found,) = result.scores
    assert (found.value, found.interval_method) == (0.75, "wilson")


def test_without_references_nothing_matches() -> None:
    assert METRIC.bind().measure([Item("x")], NoModels())["row"].tolist() == [[0, 1]]
    (result,) = score([Sample("1", ("x",))], [METRIC.bind()])
    assert (
        result.scores[0].error == "exact_match needs references, and samples[0] (id '1') has none"
    )


def test_parameters_are_checked() -> None:
    with pytest.raises(InputError, match="normalization"):
        METRIC.bind({"normalisation": "squad"})
    with pytest.raises(InputError, match="'none', 'unicode' or 'squad'"):
        METRIC.bind({"normalization": "SQUAD"})
