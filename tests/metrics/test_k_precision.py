"""K-Precision, worked out by hand and by its definition in other words."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from benchmarks.texts import english
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.k_precision import METRIC
from metrics.text.normalization import normalize


def value(output: str, prompt: str | None, contexts: Any = None, **params: Any) -> float | None:
    metadata = {} if contexts is None else {"contexts": contexts}
    (found,) = score([Sample("1", (output,), (), prompt, None, metadata)], [METRIC.bind(params)])
    return found.scores[0].value


@pytest.mark.parametrize(
    ("output", "contexts", "expected"),
    [
        ("The museum opened in 1852.", ["The museum opened in 1852."], 1),
        ("The museum opened in 1952.", ["The museum", "opened in 1852."], 4 / 5),
        ("no no no", ["No!"], 1 / 3),  # as often as both have it
        ("Музей открыт", "музей ОТКРЫТ.", 1),
        ("музея", ["музей"], 0),  # another case is another word
        ("东京是首都", ["首都是北京"], 4 / 5),
        ("متحف", ["متحف كبير"], 1),
        ("🙂 да", ["да"], 1 / 2),
        ("x" * 10_000, ["y"], 0),
    ],
)
def test_values(output: str, contexts: Any, expected: float) -> None:
    assert value(output, None, contexts) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("output", "prompt", "contexts"),
    [("", "text", None), ("...", "text", None), ("text", None, None), ("text", "", []),
     ("text", "?!", None), ("text", None, [1, 2])],
)  # fmt: skip
def test_nothing_to_measure_is_missing(output: str, prompt: str | None, contexts: Any) -> None:
    assert value(output, prompt, contexts) is None


def test_which_evidence() -> None:
    given = ("кот спит", "кот ест", ["спит пёс, спит"])
    assert value(*given) == value(*given, evidence="contexts") == 0.5
    assert value(*given, evidence="prompt") == 0.5
    assert value("ест", *given[1:]) == 0
    assert value("ест", *given[1:], evidence="prompt") == 1
    (found,) = score([Sample("1", ("a",), ())], [METRIC.bind({"evidence": "contexts"})])
    assert "contexts" in str(found.scores[0].error)


def test_the_definition_with_squads_words() -> None:
    drawn = english(60, 5)
    chance = random.Random(1)
    for output in drawn.outputs:
        contexts = chance.sample(list(drawn.references), 3)
        rest = normalize(" ".join(contexts), "squad").split()
        said = normalize(output, "squad").split()
        there = 0
        for word in said:
            if word in rest:
                rest.remove(word)
                there += 1
        found = value(output, None, contexts, normalization="squad")
        assert found is not None
        assert math.isclose(found, there / len(said))
