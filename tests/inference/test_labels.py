"""Likelihoods of labels by what a model keeps of its reading: keys, windows of them, or a state."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from inference import labels
from inference.language import TransformerLanguageModel
from inference.protocol import Identity
from tests.tiny_models import build_tokenizer

CONTEXTS = [[5, 6, 7, 8, 9, 10, 11], [12, 13], [14, 15, 16, 17]]
LABELS = [[20, 21, 22], [23], [24, 25]]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 600, "initializer_range": 0.5} | {
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ATTENTION = {"num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 64}


def tiny(family: str, **own: Any) -> TransformerLanguageModel:
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **SMALL, **own)
    network = transformers.AutoModelForCausalLM.from_config(config).eval()
    return TransformerLanguageModel(network, build_tokenizer(), Identity("tiny", "0", "0"), "cpu")


@pytest.mark.parametrize(
    ("family", "own", "shares"),
    [
        ("llama", ATTENTION, True),
        ("gemma2", ATTENTION | {"head_dim": 16, "sliding_window": 4}, True),
        ("mamba", {"state_size": 4}, False),
    ],
)
def test_they_are_those_of_each_label_alone(family: str, own: dict[str, Any], shares: bool) -> None:
    language = tiny(family, **own)
    found = labels.label_logprobs(language, CONTEXTS, LABELS)
    assert language.shares is shares
    assert found == pytest.approx(labels.one_by_one(language, CONTEXTS, LABELS), abs=2e-5)


def test_a_machine_without_memory_says_nothing_of_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    language = tiny("llama", **ATTENTION)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("no memory")

    with monkeypatch.context() as patched:
        patched.setattr(labels, "_together", full)
        with pytest.raises(torch.OutOfMemoryError):
            labels.label_logprobs(language, CONTEXTS, LABELS)
    assert language.shares is None
    labels.label_logprobs(language, CONTEXTS, LABELS)
    assert language.shares is True
