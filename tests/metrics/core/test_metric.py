"""A metric bound to its parameters, and samples made of records."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inference.errors import InputError
from metrics.core.metric import Item, Sample
from metrics.core.rows import Pooling, settle_by_pooling
from tests.metrics.core.toy import MODELS, PAIRED_UP, WORDS, WordsParams


def test_parameters_are_bound_once() -> None:
    metric = WORDS.bind({"lower": True})
    assert metric.params == WordsParams(lower=True)
    assert metric == WORDS.bind(WordsParams(lower=True)) == WORDS.bind(metric.dump())
    assert metric != WORDS.bind()
    assert metric.dump() == {"lower": True, "shown": "plain"}
    assert (metric.name, metric.needs, metric.score_names) == ("words", ("output",), ("words",))
    evidence = metric.measure([Item("a b"), Item("c")], MODELS)
    rows = metric.settle(evidence, np.array([0, 1])).rows
    assert metric.reduce(rows.sum(0)).tolist() == [1.5]
    assert metric.per_sample(rows).tolist() == [[2], [1]]


def test_wrong_parameters_are_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="words has no 'lowr' among its params; did you mean"):
        WORDS.bind({"lowr": True})
    with pytest.raises(InputError, match="lower") as caught:
        WORDS.bind({"lower": "perhaps"})
    assert caught.value.field == "params.lower"


def test_the_plan_of_a_metric_without_one_is_a_single_batch() -> None:
    items = [Item(text) for text in "abc"]
    assert WORDS.bind().plan(items, MODELS) == [[0, 1, 2]]
    assert PAIRED_UP.bind().plan(items, MODELS) == [[0, 1], [2]]


def test_needs_scores_libraries_and_models_may_depend_on_parameters() -> None:
    def varied(params: WordsParams) -> Any:
        return ("prompt", params.shown) if params.lower else ()

    metric = replace(WORDS, needs=varied, scores=varied, libraries=varied, models=varied)
    bound = metric.bind({"lower": True, "shown": "x"})
    given: list[Any] = [bound.needs, bound.scores, bound.libraries, bound.models]
    assert given == [("prompt", "x")] * 4
    assert metric.bind().models == ()


def test_outputs_are_pooled_averaged_or_settled_in_an_own_way() -> None:
    evidence = WORDS.bind().measure([Item("a b"), Item("c"), Item("d e f")], MODELS)
    unit = np.array([0, 0, 1])
    expected: dict[Pooling, list[list[float]]] = {
        "average": [[1.5, 1], [3, 1]],
        "pool": [[3, 2], [3, 1]],
    }
    for pooling, rows in expected.items():
        metric = replace(WORDS, pooling=pooling).bind()
        assert metric.settle(evidence, unit).rows.tolist() == rows
    own = replace(WORDS, pooling=None, settle=settle_by_pooling).bind()
    assert own.settle(evidence, unit).rows.tolist() == [[3, 2], [3, 1]]
    for wrong in {"pooling": None}, {"settle": settle_by_pooling}:
        with pytest.raises(ValueError, match="words: declare either pooling or settle"):
            replace(WORDS, **wrong)


def test_a_sample_keeps_all_of_its_record() -> None:
    record = {
        "id": "7",
        "prompt": "?",
        "references": ["да", "yes"],
        "tests": "assert f()",
        "metadata": {"lang": "ru"},
        "output": "not read",
    }
    sample = Sample.of(record, ["a", "b"])
    assert sample == Sample("7", ("a", "b"), ("да", "yes"), "?", "assert f()", {"lang": "ru"})
    assert Sample.of({"id": "8"}, []) == Sample("8", ())
    empty = {"references": None, "prompt": None, "tests": None, "metadata": None}
    assert Sample.of(empty, ["x"], id="9") == Sample("9", ("x",))
