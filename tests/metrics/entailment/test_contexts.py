"""What was retrieved against the right answer, with transformers called by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.pool import ModelPool
from metrics import find
from metrics.context_precision import average_precision
from metrics.core.contexts import contexts_of
from metrics.core.errors import MissingInput
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.run import prepare, score
from metrics.entailment.claims import NO_CLAIM, NO_SOURCE
from metrics.text.segments import sentences_of
from tests.metrics.entailment.texts import OUTPUTS, SOURCES, grid

SAMPLES = [
    Sample(
        name,
        ("Anything.",),
        references=(OUTPUTS[name], OUTPUTS["en"]),
        metadata={"contexts": [SOURCES[name], "🙂", SOURCES["ru"], SOURCES["zh"]]},
    )
    for name in SOURCES
]
# the random model's probabilities lie high: thresholds that tell some of them apart
THRESHOLDS = [0.5, 0.9, 0.97]


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_recall_is_the_share_of_supported_sentences(
    threshold: float, tiny_nli: Path, model_pool: ModelPool
) -> None:
    bound = find("context_recall").bind({"model": tiny_nli.name, "threshold": threshold})
    (result,) = score(SAMPLES, [bound], model_pool)
    want = []
    for sample in SAMPLES:
        parts = [one for text in sample.metadata["contexts"] for one in sentences_of(text)]
        each = [grid(tiny_nli, parts, sentences_of(text))[0] for text in sample.references]
        want.append(max((one.max(0) >= threshold).mean() for one in each))
    assert result.per_sample is not None
    np.testing.assert_allclose(result.per_sample[:, 0], want)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_precision_is_ragas_formula(
    threshold: float, tiny_nli: Path, model_pool: ModelPool
) -> None:
    bound = find("context_precision").bind({"model": tiny_nli.name, "threshold": threshold})
    (result,) = score(SAMPLES, [bound], model_pool)
    want = []
    for sample in SAMPLES:
        claims = [one for text in sample.references for one in sentences_of(text)]
        useful = []
        for text in sample.metadata["contexts"]:
            parts = sentences_of(text)
            useful.append(bool(parts) and grid(tiny_nli, parts, claims)[0].max() >= threshold)
        at = [np.mean(useful[: k + 1]) for k in range(len(useful))]
        total = sum(useful)
        want.append(float(np.dot(at, useful)) / total if total else 0.0)
    assert result.per_sample is not None
    np.testing.assert_allclose(result.per_sample[:, 0], want)


def test_average_precision_by_hand() -> None:
    assert average_precision(np.array([False, False])) == 0
    assert average_precision(np.array([True, True, False])) == 1
    assert average_precision(np.array([False, True, True])) == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("name", ["context_recall", "context_precision"])
def test_what_is_missing(name: str, tiny_nli: Path, model_pool: ModelPool) -> None:
    bound = find(name).bind({"model": tiny_nli.name})
    samples = [
        Sample("nothing said", ("x",), references=("🙂", ""), metadata={"contexts": ["A text."]}),
        Sample("nothing found", ("x",), references=("A text.",), metadata={"contexts": ["🙂"]}),
        Sample("whole", ("",), references=("A text.",), metadata={"contexts": "A text."}),
    ]
    found = measure(bound, items_of(samples)[0], model_pool)
    assert found["flag"].tolist() == [NO_CLAIM, NO_SOURCE, 0]
    with pytest.raises(MissingInput, match="texts that were retrieved") as error:
        prepare(bound, [Sample("1", ("x",), references=("y",))])
    assert error.value.code == "missing_contexts"
    assert error.value.field == "samples[0].metadata"


def test_contexts_are_texts_of_the_metadata() -> None:
    assert contexts_of({"contexts": ["a", " ", "b"]}) == ("a", "b")
    assert contexts_of({"contexts": "a"}) == ("a",)
    assert contexts_of({"contexts": "a\ud800"}) == ("a?",)
    for other in ({}, {"contexts": [1]}, {"contexts": {"a": "b"}}, {"contexts": None}):
        assert contexts_of(other) == ()
