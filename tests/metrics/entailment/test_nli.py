"""SummaC-ZS, with transformers called by hand, pair by pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.errors import InputError
from inference.pool import ModelPool
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.entailment.claims import CUT, MOST_PAIRS, NO_CLAIM, NO_SOURCE, TOO_MANY
from metrics.nli import METRIC
from metrics.text.segments import sentences_of
from tests.metrics.entailment.texts import OUTPUTS, SOURCES, grid
from tests.rounding import FORWARD
from tests.tiny_models import build_nli_model

SAMPLES = [Sample(name, (OUTPUTS[name],), prompt=SOURCES[name]) for name in SOURCES]


@pytest.mark.parametrize("contradiction", [False, True])
@pytest.mark.parametrize("over", ["mean", "min"])
def test_equals_summacs_arithmetic(
    contradiction: bool, over: str, tiny_nli: Path, model_pool: ModelPool
) -> None:
    params = {"model": tiny_nli.name, "contradiction": contradiction, "over": over}
    (result,) = score(SAMPLES, [METRIC.bind(params)], model_pool)
    want = []
    for sample in SAMPLES:
        image = grid(tiny_nli, sentences_of(sample.prompt or ""), sentences_of(sample.outputs[0]))
        each = image[0].max(0) - contradiction * image[1].max(0)
        want.append(each.mean() if over == "mean" else each.min())
    assert result.per_sample is not None
    # probabilities are at most 1 apart where logits differ by a rounding of theirs
    np.testing.assert_allclose(result.per_sample[:, 0], want, rtol=0, atol=16 * FORWARD)
    assert np.ptp(want) > 0.05
    assert result.scores[0].value == pytest.approx(np.mean(want), abs=16 * FORWARD)


def test_sentences_of_each_language() -> None:
    assert sentences_of(SOURCES["ru"])[0] == "А. С. Пушкин родился в 1799 г. в Москве."
    assert sentences_of(SOURCES["en"])[0] == "Dr. House came at noon."
    assert [len(sentences_of(SOURCES[name])) for name in SOURCES] == [3, 3, 2, 3, 2]
    assert sentences_of("🙂 … !\n—") == []


def test_what_cannot_be_measured_is_missing(tiny_nli: Path, model_pool: ModelPool) -> None:
    many = "It rains. " * 150
    samples = [
        Sample("empty", ("",), prompt="A source."),
        Sample("emoji", ("🙂",), prompt="A source."),
        Sample("no source", ("A claim.",), prompt=" "),
        Sample("many", (many,), prompt=many),
        Sample("long", ("A claim.",), prompt="word " * 900),
        Sample("whole", ("A claim.",), prompt="A source."),
    ]
    assert len(sentences_of(many)) ** 2 > MOST_PAIRS
    bound = METRIC.bind({"model": tiny_nli.name})
    found = measure(bound, items_of(samples)[0], model_pool)
    assert found["flag"].tolist() == [NO_CLAIM, NO_CLAIM, NO_SOURCE, TOO_MANY, CUT, 0]
    (result,) = score(samples, [bound], model_pool)
    assert result.missing.tolist() == [True] * 4 + [False] * 2
    assert result.scores[0].missing == 4


def test_a_pair_is_read_once(tiny_nli: Path, model_pool: ModelPool) -> None:
    """Equal pairs of several outputs and samples share a pass."""
    bound = METRIC.bind({"model": tiny_nli.name})
    model = model_pool.labels(tiny_nli.name)
    seen: list[int] = []
    whole = model.logits
    try:
        model.logits = lambda batch: (seen.append(len(batch)), whole(batch))[1]  # type: ignore[method-assign,func-returns-value]
        outputs = (OUTPUTS["en"], OUTPUTS["en"] + " It rained.")
        measure(bound, items_of([Sample("1", outputs, prompt=SOURCES["en"])])[0], model_pool)
    finally:
        del model.logits
    assert sum(seen) == 2 * 3


def test_sources(tiny_nli: Path, model_pool: ModelPool) -> None:
    """Contexts together are what their sentences are; the text as a whole is one unit."""
    text = SOURCES["en"]
    parts = Sample("1", (OUTPUTS["en"],), metadata={"contexts": sentences_of(text)}, prompt=text)
    values = [
        score([parts], [METRIC.bind({"model": tiny_nli.name} | more)], model_pool)[0]
        .scores[0]
        .value
        for more in ({}, {"source": "contexts"}, {"unit": "text"})
    ]
    assert values[0] == pytest.approx(values[1], abs=FORWARD)
    whole = grid(tiny_nli, [text], sentences_of(OUTPUTS["en"]))[0].max(0).mean()
    assert values[2] == pytest.approx(whole, abs=16 * FORWARD)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("LABEL_0", "LABEL_1", "LABEL_2"), "id2label"),
        (("positive", "negative"), "positive, negative"),
    ],
)
def test_other_models_are_refused(
    labels: tuple[str, ...], reason: str, models_root: Path, model_pool: ModelPool
) -> None:
    folder = build_nli_model(models_root / f"nli-{labels[0]}", labels=labels)
    bound = METRIC.bind({"model": folder.name})
    with pytest.raises(InputError, match=reason) as error:
        measure(bound, items_of(SAMPLES)[0], model_pool)
    assert error.value.field == "params.model"


def test_a_reward_model_is_refused(tiny_reward_model: Path, model_pool: ModelPool) -> None:
    with pytest.raises(InputError, match="one output"):
        measure(METRIC.bind({"model": "tiny-reward"}), items_of(SAMPLES)[0], model_pool)


def test_a_decoder_without_a_pad_token(models_root: Path, model_pool: ModelPool) -> None:
    """Each row is read at its own end, whatever it shares a batch with."""
    from tests.tiny_models import build_reward_model

    labels = {0: "SUPPORTS", 1: "REFUTES", 2: "NOT ENOUGH INFO"}
    folder = build_reward_model(
        models_root / "decoder-nli", num_labels=3, pad_token_id=None, template=None, id2label=labels
    )
    model = model_pool.labels(folder.name)
    encoded, _ = model.encode([("a", "b"), ("a much longer premise", "b")])
    together = model.logits(encoded)
    np.testing.assert_array_equal(together, [model.logits([one])[0] for one in encoded])
    assert model.labels == ("SUPPORTS", "REFUTES", "NOT ENOUGH INFO")
