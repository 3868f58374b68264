"""A metric bound to its parameters, and samples made of records."""

import numpy as np
import pytest

from inference.errors import InputError
from metrics.core.metric import Item, Sample
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
