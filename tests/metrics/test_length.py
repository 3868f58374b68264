"""Length, against Python's own counting and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from inference.errors import InputError
from inference.protocol import NoModels
from metrics.core.measure import items_of
from metrics.core.measure import measure as measure_items
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.length import METRIC
from tests.tiny_models import ENGLISH, RUSSIAN


def values(samples: list[Sample], unit: str) -> list[float]:
    metric = METRIC.bind({"unit": unit})
    items, units = items_of(samples)
    rows = metric.settle(measure_items(metric, items, NoModels()), units).rows
    return [float(value) for value in metric.per_sample(rows)[:, 0]]


@pytest.mark.parametrize(
    ("output", "words", "characters"),
    [
        ("", 0, 0),
        (" \n\t", 0, 3),
        ("one", 1, 3),
        ("two  words", 2, 10),
        ("well-known, isn't it?", 3, 21),
        ("Съешь же ещё этих", 4, 17),
        ("東京は晴れ", 5, 5),
        ("GPTは強い", 4, 6),
        ("😀 👍🏽", 2, 4),  # a skin tone is a code point of its own
        ("e\u0301", 1, 2),
    ],
)
def test_by_hand(output: str, words: int, characters: int) -> None:
    sample = [Sample("1", (output,))]
    assert values(sample, "words") == [words]
    assert values(sample, "characters") == [characters]


@pytest.mark.parametrize("text", [ENGLISH, RUSSIAN])
def test_is_what_python_counts(text: str) -> None:
    assert values([Sample("1", (text,))], "words") == [len(text.split())]
    assert values([Sample("1", (text,))], "characters") == [len(text)]


def test_outputs_average_and_samples_average() -> None:
    samples = [Sample("1", ("a b c", "a")), Sample("2", ("",))]
    assert values(samples, "words") == [2.0, 0.0]
    metric = METRIC.bind()
    items, units = items_of(samples)
    rows = metric.settle(measure_items(metric, items, NoModels()), units).rows
    assert metric.reduce(rows.sum(0)).tolist() == [1.0]
    assert np.issubdtype(measure_items(metric, items, NoModels())["row"].dtype, np.integer)


def test_a_sample_without_outputs_has_no_length() -> None:
    (result,) = score([Sample("1", ("a",)), Sample("2", ())], [METRIC.bind()])
    assert result.scores[0].error == "length needs output, and samples[1] (id '2') has none"


def test_parameters_are_checked() -> None:
    with pytest.raises(InputError, match="unit"):
        METRIC.bind({"unit": "tokens"})
