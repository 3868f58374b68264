"""Shares of verdicts, with transformers called by hand, and what is kept of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.pool import ModelPool
from metrics.core.evidence import Evidence
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.entailment.claims import NO_SOURCE, shown, verdicts
from metrics.faithfulness import METRIC
from metrics.text.segments import sentences_of
from tests.metrics.entailment.texts import OUTPUTS, SOURCES, grid
from tests.rounding import FORWARD
from tests.tiny_models import build_nli_model

SAMPLES = [
    Sample(
        name,
        (OUTPUTS[name], "One answer more. Another claim! And 3."),
        metadata={"contexts": [SOURCES[name], SOURCES["en"]]},
    )
    for name in SOURCES
]


def by_hand(folder: Path, sample: Sample, output: str, threshold: float) -> list[str]:
    """FEVER's verdict on each sentence, by the strongest evidence."""
    contexts = [one for text in sample.metadata["contexts"] for one in sentences_of(text)]
    entails, contradicts = grid(folder, contexts, sentences_of(output))[:2].max(1)
    found = []
    for yes, no in zip(entails, contradicts, strict=True):
        if yes >= threshold and yes >= no:
            found.append("supported")
        else:
            found.append("refuted" if no >= threshold else "not_enough")
    return found


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
def test_equals_the_definition(threshold: float, tiny_nli: Path, model_pool: ModelPool) -> None:
    bound = METRIC.bind({"model": tiny_nli.name, "threshold": threshold})
    (result,) = score(SAMPLES, [bound], model_pool)
    assert result.per_sample is not None
    for row, sample in zip(result.per_sample, SAMPLES, strict=True):
        each = [by_hand(tiny_nli, sample, output, threshold) for output in sample.outputs]
        for value, verdict in zip(row, ("supported", "refuted"), strict=True):
            want = np.mean([said.count(verdict) / len(said) for said in each])
            assert value == pytest.approx(want)
    assert [one.name for one in result.scores] == list(bound.score_names)


@pytest.mark.parametrize(
    ("labels", "verdict"),
    [
        (("contradiction", "neutral", "entailment"), "supported"),
        (("entailment", "neutral", "contradiction"), "refuted"),
    ],
)
def test_verdicts_are_kept_with_their_evidence(
    labels: tuple[str, ...], verdict: str, models_root: Path, model_pool: ModelPool
) -> None:
    folder = build_nli_model(models_root / f"kept-{verdict}", labels=labels)
    bound = METRIC.bind({"model": folder.name})
    evidence = measure(bound, items_of(SAMPLES)[0], model_pool)
    evidence = Evidence.decode(evidence.encode())
    kept = shown(evidence, 0.5)
    outputs = [(sample, output) for sample in SAMPLES for output in sample.outputs]
    seen = set()
    for claims, (sample, output) in zip(kept, outputs, strict=True):
        assert [one.text for one in claims] == sentences_of(output)
        assert [one.verdict for one in claims] == by_hand(folder, sample, output, 0.5)
        for one in claims:
            seen.add(one.verdict)
            pair = grid(folder, [one.source or ""], [one.text])[:, 0, 0]
            kind = "contradiction" if one.verdict == "refuted" else "entailment"
            bound_of_rounding = 16 * FORWARD + 5e-5  # four digits are shown
            assert one.values[kind] == pytest.approx(
                pair[int(kind == "contradiction")], abs=bound_of_rounding
            )
    assert verdict in seen
    assert [one.verdict for one in shown(evidence, 1.0)[0]] == ["not_enough"] * 2


def test_verdicts_by_hand() -> None:
    found = verdicts(np.array([0.5, 0.49, 0.2, 0.6]), np.array([0.5, 0.3, 0.7, 0.9]), 0.5)
    assert found.tolist() == [1, 0, -1, -1]


def test_evidence_is_the_contexts_or_the_prompt(tiny_nli: Path, model_pool: ModelPool) -> None:
    text = SOURCES["ru"]
    samples = [
        Sample("contexts", (OUTPUTS["ru"],), prompt="Вопрос?", metadata={"contexts": text}),
        Sample("prompt", (OUTPUTS["ru"],), prompt=text),
        Sample("neither", (OUTPUTS["ru"],)),
    ]
    found = measure(METRIC.bind({"model": tiny_nli.name}), items_of(samples)[0], model_pool)
    assert found["flag"].tolist() == [0, 0, NO_SOURCE]
    np.testing.assert_allclose(
        found["entailment"][:2].astype(float),
        found["entailment"][2:].astype(float),
        atol=FORWARD,
    )


def test_labels_of_fever_and_factcc(models_root: Path, model_pool: ModelPool) -> None:
    """Other names of the labels, in another order, and two labels alone."""
    fever = build_nli_model(
        models_root / "fever", labels=("REFUTES", "NOT ENOUGH INFO", "SUPPORTS")
    )
    factcc = build_nli_model(models_root / "factcc", labels=("CORRECT", "INCORRECT"))
    two = build_nli_model(models_root / "two", labels=("entailment", "not_entailment"))
    values = {}
    for folder in (fever, factcc, two):
        (result,) = score(SAMPLES, [METRIC.bind({"model": folder.name})], model_pool)
        values[folder.name] = [one.value or 0.0 for one in result.scores]
    assert sum(values["factcc"]) == pytest.approx(1)  # the more likely of two is never below 0.5
    assert values["two"][1] == 0
