"""`per_output`: a metric made of one function of one output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from inference.protocol import Models, NoModels
from metrics.core.metric import Item, Metric, Params, Sample, Score, Source
from metrics.core.per_output import per_output
from metrics.core.run import score
from tests.known import known

MODELS = NoModels()
SAMPLES = [
    Sample("1", ("да", "нет"), ("да",)),
    Sample("2", ("yes",), ("yes", "no")),
]


class ShareParams(Params):
    letters: str = "ae"


def declared(measure: Any, *names: str, **fields: Any) -> Metric[ShareParams]:
    return per_output(
        name="share",
        version=1,
        about="A share.",
        params=ShareParams,
        reads=("output", "references"),
        scores=tuple(Score(name, higher_is_better=True) for name in names or ("share",)),
        source=Source("none", "none"),
        measure=measure,
        **fields,
    )


def first(item: Item, params: ShareParams, models: Models) -> bool:
    return item.output == item.references[0]


def test_one_value_an_output() -> None:
    metric = declared(first, dtype=np.uint8).bind()
    assert metric.needs == ("references",)
    evidence = metric.measure([Item("a", ("a",)), Item("a", ("b",))], MODELS)
    assert evidence["row"].dtype == np.uint8
    assert evidence["row"].tolist() == [[1, 1], [0, 1]]
    assert metric.measure([], MODELS)["row"].shape == (0, 2)
    (result,) = score(SAMPLES, [metric], MODELS)
    assert result.scores[0].value == 0.75
    assert known(result.per_sample).tolist() == [[0.5], [1]]


def test_several_values_an_output() -> None:
    def counts(item: Item, params: ShareParams, models: Models) -> tuple[float, ...]:
        return tuple(float(item.output.count(letter)) for letter in params.letters)

    metric = declared(counts, "a", "e").bind({"letters": "ey"})
    evidence = metric.measure([Item("yes"), Item("eye")], MODELS)
    assert evidence["row"].tolist() == [[1, 1, 1], [2, 1, 1]]
    with pytest.raises(ValueError, match="shape"):
        declared(counts, "a", "e").bind({"letters": "xyz"}).measure([Item("yes")], MODELS)


def test_outputs_may_count_alike_whatever_their_sample() -> None:
    (result,) = score(SAMPLES, [declared(first, pooling="pool").bind()], MODELS)
    assert result.scores[0].value == pytest.approx(2 / 3)


def test_not_a_number_is_missing() -> None:
    def unknown(item: Item, params: ShareParams, models: Models) -> float:
        return float("nan") if item.output == "yes" else 1.0

    (result,) = score(SAMPLES, [declared(unknown).bind()], MODELS)
    (found,) = result.scores
    assert (found.value, found.n, found.missing) == (1, 1, 1)


def test_needs_may_be_declared() -> None:
    assert declared(first, needs=("output",)).bind().needs == ("output",)
    assert declared(first, needs=()).bind().needs == ()
