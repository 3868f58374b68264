"""Multiple choice by likelihood, held to lm-evaluation-harness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.pool import ModelPool
from metrics.choice_accuracy import METRIC, _local
from metrics.core.choices import Choices
from metrics.core.errors import MissingInput
from metrics.core.metric import Sample
from metrics.core.run import prepare, score

TINY = "tiny-language"
PAIRS = [
    ("The capital of France is", " Paris"),
    ("The capital of France is ", "a city"),
    ("Какой город столица России?", " Москва — столица."),
    ("", " on its own"),
    ("1 + 1 =", " 2"),
]


@pytest.mark.usefixtures("tiny_language_model")
def test_likelihoods_are_the_harness_s(model_pool: ModelPool, tiny_language_model: Path) -> None:
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_language_model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tiny_language_model)
    harness = HFLM(model, tokenizer=tokenizer, device="cpu", batch_size=2)
    requests: list[Any] = [
        Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=0) for pair in PAIRS
    ]
    expected = [value for value, _ in harness.loglikelihood(requests, disable_tqdm=True)]
    np.testing.assert_allclose(_local(model_pool.language(TINY), PAIRS), expected, rtol=1e-5)


@pytest.mark.usefixtures("tiny_language_model")
def test_the_likeliest_choice_counts(model_pool: ModelPool) -> None:
    texts = ["Paris", "a town by the sea", "Rome"]
    own = _local(model_pool.language(TINY), [("The capital is", f" {text}") for text in texts])
    best = int(np.argmax(own))
    normed = int(np.argmax(own / np.array([len(text) for text in texts])))
    samples = [
        Sample(str(at), ("",), prompt="The capital is", metadata={"choices": texts, "answer": at})
        for at in range(3)
    ]
    (result,) = score(samples, [METRIC.bind({"model": TINY})], model_pool)
    assert result.per_sample is not None
    assert result.per_sample[:, 0].tolist() == [float(at == best) for at in range(3)]
    assert result.per_sample[:, 1].tolist() == [float(at == normed) for at in range(3)]
    assert [one.value for one in result.scores] == pytest.approx([1 / 3, 1 / 3])


@pytest.mark.parametrize(
    ("metadata", "answer"),
    [
        ({"choices": ["a", "b"], "answer": 1}, 1),
        ({"choices": ["a", "b"], "answer": "B"}, 1),
        ({"choices": ["yes", "no"], "answer": "no"}, 1),
        ({"choices": ["a", "b"], "answer": 2}, None),
        ({"choices": ["a"], "answer": 0}, None),
        ({"choices": ["a", "b"], "answer": True}, None),
        ({"choices": ["a", 2], "answer": 0}, None),
        ({"choices": ["a", "b"]}, None),
        ({"choices": ["a", ""], "answer": 0}, None),
    ],
)
def test_answers_are_named_in_several_ways(metadata: dict[str, Any], answer: int | None) -> None:
    found = Choices.of(metadata)
    assert (found.answer if found else None) == answer


def test_samples_without_choices_are_refused() -> None:
    with pytest.raises(MissingInput, match="`choices`") as raised:
        prepare(METRIC.bind(), [Sample("a", ("x",), prompt="p")])
    assert (raised.value.code, raised.value.field) == ("missing_choices", "samples[0].metadata")
