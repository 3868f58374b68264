"""Toxicity against the text-classification pipeline of transformers, live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from inference.errors import InputError
from inference.pool import ModelPool
from metrics.core.errors import MetricError
from metrics.core.label_models import sigmoid
from metrics.core.measure import items_of, measure
from metrics.core.metric import Sample
from metrics.core.rows import Floats
from metrics.core.run import score
from metrics.toxicity import CUT, EMPTY, METRIC, chosen
from tests.rounding import FORWARD
from tests.tiny_models import POSITIONS, build_nli_model, build_reward_model

JIGSAW = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
OUTPUTS = {
    "en": ("You are a fool!", "Have a nice day.", "I will find you."),
    "ru": ("Ты дурак!", "Хорошего дня."),
    "zh": ("你是个傻瓜!", "祝你今天愉快。"),
    "ar": ("أنت أحمق!", "نهارك سعيد."),
    "emoji": ("🤬", "🙂 👍"),
    "long": ("word " * 3000, "short"),
}
SAMPLES = [Sample(name, outputs) for name, outputs in OUTPUTS.items()]


@pytest.fixture(scope="module")
def folders(models_root: Path) -> dict[str, Path]:
    """Classifiers in the layouts of unitary/toxic-bert, of s-nlp's Russian one, and of one head."""
    several = {"problem_type": "multi_label_classification"}
    return {
        "jigsaw": build_nli_model(models_root / "tox-jigsaw", 1, JIGSAW, **several),
        "two": build_nli_model(models_root / "tox-two", 5, ("neutral", "toxic")),
        "three": build_nli_model(models_root / "tox-three", 4, ("fine", "hate", "offensive")),
        "one": build_nli_model(models_root / "tox-one", 7, ("toxicity",), **several),
    }


def pipeline(folder: Path, labels: tuple[str, ...]) -> list[Floats]:
    """Of each sample (outputs, labels), text by text."""
    read: Any = transformers.pipeline("text-classification", str(folder), device="cpu")
    found = []
    for outputs in OUTPUTS.values():
        said = [read(text, top_k=None, truncation=True, max_length=POSITIONS) for text in outputs]
        each = [{one["label"]: one["score"] for one in every} for every in said]
        found.append(np.array([[one[label] for label in labels] for one in each]))
    return found


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("jigsaw", None),
        ("jigsaw", ("threat", "toxic", "insult")),
        ("two", None),
        ("three", ("hate", "offensive")),
        ("one", None),
    ],
)
@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_equals_the_pipeline(
    name: str,
    labels: tuple[str, ...] | None,
    threshold: float,
    folders: dict[str, Path],
    model_pool: ModelPool,
) -> None:
    params = {"model": folders[name].name, "labels": labels, "threshold": threshold}
    (result,) = score(SAMPLES, [METRIC.bind(params)], model_pool)
    known = {"jigsaw": "toxic", "two": "toxic", "one": "toxicity"}
    each = pipeline(folders[name], labels or (known[name],))
    toxic = [one.max(1) if name == "jigsaw" else one.sum(1) for one in each]
    want = np.array(
        [
            [one.mean(), (one >= threshold).mean(), one.max(), one.max() >= threshold]
            for one in toxic
        ]
    )
    if labels:
        want = np.hstack([want, [one.mean(0) for one in each]])
    assert result.per_sample is not None
    # probabilities are at most 1/4 apart where logits, of up to 16, differ by a rounding of theirs
    np.testing.assert_allclose(result.per_sample, want, rtol=0, atol=16 * FORWARD)
    assert np.ptp(want[:, 0]) > 0.02
    values = np.array([one.value for one in result.scores], np.float64)
    np.testing.assert_allclose(values, want.mean(0), rtol=0, atol=16 * FORWARD)
    for one in result.scores:
        assert one.interval is not None
        assert one.interval[0] <= (one.value or 0) <= one.interval[1]


def test_real_toxicity_prompts_by_hand(folders: dict[str, Path], model_pool: ModelPool) -> None:
    """Three prompts of two outputs: maxima and shares worked out from the outputs' own values."""
    bound = METRIC.bind({"model": folders["two"].name, "threshold": 0.5})
    own = [round(float(one[0]), 12) for one in _single(bound, model_pool)]
    pairs = list(zip(own[::2], own[1::2], strict=True))
    samples = [Sample(str(at), TEXTS[2 * at : 2 * at + 2]) for at in range(3)]
    (result,) = score(samples, [bound], model_pool)
    want = [
        sum(a + b for a, b in pairs) / 6,
        sum((a >= 0.5) + (b >= 0.5) for a, b in pairs) / 6,
        sum(max(pair) for pair in pairs) / 3,
        sum(max(pair) >= 0.5 for pair in pairs) / 3,
    ]
    assert [one.value for one in result.scores] == pytest.approx(want, abs=1e-9)
    assert want[0] < want[2]
    (uneven,) = score([*samples, Sample("3", (TEXTS[0],))], [bound], model_pool)
    assert any("1 to 2 outputs" in text for text in uneven.scores[0].warnings)


TEXTS = ("You are a fool!", "Have a nice day.", "Ты дурак!", "Хорошего дня.", "🤬", "你好")


def _single(bound: Any, pool: ModelPool) -> Floats:
    evidence = measure(bound, items_of([Sample(text, (text,)) for text in TEXTS])[0], pool)
    found: Floats = METRIC.single(evidence, bound.params) if METRIC.single else np.zeros(0)
    assert np.isnan(found[:, 2:4]).all()
    return found


def test_what_has_no_text_is_missing(folders: dict[str, Path], model_pool: ModelPool) -> None:
    samples = [Sample("empty", ("",)), Sample("blank", (" \n",)), Sample("long", ("a b " * 3000,))]
    samples += [Sample("half", ("", "You fool!")), Sample("emoji", ("🤬",))]
    bound = METRIC.bind({"model": folders["jigsaw"].name})
    found = measure(bound, items_of(samples)[0], model_pool)
    assert found["flag"].tolist() == [EMPTY, EMPTY, CUT, EMPTY, 0, 0]
    (result,) = score(samples, [bound], model_pool)
    assert result.missing.tolist() == [True, True, False, False, False]
    (nothing,) = score(samples[:2], [bound], model_pool)
    assert nothing.scores[0].value is None


def test_labels_are_found_by_name() -> None:
    assert chosen(JIGSAW, None, "m") == [0]
    assert chosen(("LABEL_0", "Hate-Speech"), None, "m") == [1]
    assert chosen(JIGSAW, ("threat", "toxic"), "m") == [3, 0]
    for labels, wanted, said in [
        (("LABEL_0", "LABEL_1"), None, "LABEL_1: name those"),
        (("hate", "offensive", "fine"), None, "name those"),
        (("non-toxic", "neutral"), None, "name those"),
        (JIGSAW, ("threats",), "none is called 'threats'"),
    ]:
        with pytest.raises(InputError, match=said):
            chosen(labels, wanted, "m")


def test_other_models_and_parameters_are_refused(models_root: Path, model_pool: ModelPool) -> None:
    reward = build_reward_model(models_root / "tox-reward", seed=1)
    with pytest.raises(InputError, match="one output, and labels are needed"):
        measure(METRIC.bind({"model": reward.name}), items_of(SAMPLES[:1])[0], model_pool)
    refused: list[dict[str, object]] = [
        {"labels": []},
        {"labels": ["\n"]},
        {"threshold": 0},
        {"threshold": 1.1},
    ]
    for wrong in refused:
        with pytest.raises((InputError, MetricError)):
            METRIC.bind({"model": "m"} | wrong)


def test_sigmoid_does_not_overflow() -> None:
    with np.errstate(all="raise"):
        assert sigmoid(np.array([-700.0, 0.0, 700.0])).tolist() == [np.exp(-700.0), 0.5, 1.0]
