"""Log-probabilities of labels in chunks of logits: those of a plain pass, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.rounding import assert_same
from tests.trainers.learning.policies import load
from trainers.learning.heads import chunk_logits

SMALL: dict[str, Any] = {"hidden_size": 8, "intermediate_size": 8, "vocab_size": 64}
SMALL |= {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}


@pytest.mark.parametrize("capped", [False, True])
def test_labels_are_as_likely_as_by_whole_logits(tiny_language_model: Path, capped: bool) -> None:
    """Gradients, too; and of a model that caps its logits (Gemma 2)."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    capping = Gemma2Config(**SMALL, head_dim=4, final_logit_softcapping=3.0)
    model: Any = Gemma2ForCausalLM(capping) if capped else load(tiny_language_model)
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 0]])
    labels = torch.tensor([[6, 7, 8, -100], [10, -100, -100, -100]])
    scores = model(ids).logits.log_softmax(-1).gather(-1, labels.clamp(0)[..., None])[..., 0]
    scores = scores * (labels >= 0)
    weights = list(model.parameters())
    expected = torch.autograd.grad(scores.sum(), weights)
    assert chunk_logits(model)
    found = model(ids, shift_labels=labels, fused_lm_head=True).log_probs
    assert_same(found.detach(), scores.detach())
    for one, other in zip(torch.autograd.grad(found.sum(), weights), expected, strict=True):
        assert_same(one, other)


def test_a_head_with_an_adapter_of_its_own_is_used_whole(tiny_language_model: Path) -> None:
    """Its matrix alone would leave the adapter out, without a word."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=2, target_modules=["q_proj", "lm_head"])
    model: Any = get_peft_model(load(tiny_language_model), config)
    assert not chunk_logits(model)


def test_logits_that_are_changed_otherwise_are_told(tiny_language_model: Path) -> None:
    model: Any = load(tiny_language_model)
    head = model.get_output_embeddings()
    head.register_forward_hook(lambda _module, _inputs, logits: 2 * logits)
    assert not chunk_logits(model)
    assert "forward" not in vars(model)
