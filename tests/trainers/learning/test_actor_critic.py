"""Log-probabilities, entropies and values of completions, against a plain pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.distributions import Categorical

from tests.rounding import assert_same
from tests.trainers.learning.policies import actor, load
from trainers.job.options import Lora
from trainers.learning import actor_critic
from trainers.learning.actor_critic import splits, token_logprobs
from trainers.learning.rollouts import pack


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_and_their_gradient_are_those_of_a_plain_pass(
    tiny_language_model: Path, monkeypatch: pytest.MonkeyPatch, split: bool, temperature: float
) -> None:
    model = load(tiny_language_model)
    assert splits(model)
    monkeypatch.setattr(actor_critic, "CHUNK_LOGITS", 4 * model.config.vocab_size)  # four at a time
    prompts = [[5, 6, 7], [8], [9, 10, 11, 12, 13]]
    completions = [[20, 21, 22, 23, 24], [25, 26], [27]]
    packed = pack(prompts, completions, pad_id=0, device="cpu")
    logprobs, entropy = token_logprobs(model, **packed, temperature=temperature, split=split)
    found = torch.autograd.grad(logprobs.sum() + entropy.sum(), list(model.parameters()))

    total = torch.zeros(())
    said, spread = torch.zeros_like(logprobs), torch.zeros_like(entropy)
    for row, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        ids = torch.tensor([prompt + completion])
        scores = (model(ids).logits[0].float() / temperature).log_softmax(-1)
        for t, token in enumerate(completion):
            state = scores[len(prompt) + t - 1]
            said[row, t] = state[token].detach()
            spread[row, t] = Categorical(logits=state).entropy().detach()
            total = total + state[token] - (state.exp() * state).sum()
        assert logprobs[row, len(completion) :].eq(0).all()
    assert_same(logprobs.detach(), said)
    assert_same(entropy.detach(), spread)
    expected = torch.autograd.grad(total, list(model.parameters()))
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


def test_models_that_scale_their_logits_are_told(tiny_language_model: Path) -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        final_logit_softcapping=0.5,
        initializer_range=0.5,
    )
    assert not splits(Gemma2ForCausalLM(config).eval())


@pytest.mark.parametrize("adapter", [None, Lora(r=4)])
def test_policy_value_model_and_reference_are_three(
    tiny_language_model: Path, adapter: Lora | None
) -> None:
    """Under LoRA they share the frozen weights; the value model's training moves neither other."""
    model = actor(tiny_language_model, adapter)
    plain = load(tiny_language_model)
    packed = pack([[5, 6, 7], [8]], [[20, 21], [25, 26, 27]], 0, "cpu")
    before, _, values = model(**packed)
    expected, _ = token_logprobs(plain, **packed, temperature=1.0, split=False)
    assert_same(before.detach(), expected.detach())
    assert_same(model.reference(**packed), expected.detach())
    assert values.eq(0).all()

    trained = {name for name, one in model.named_parameters() if one.requires_grad}
    assert any(name.startswith("value.") for name in trained)
    assert any(name.startswith("policy.") for name in trained)
    assert all(one.dtype == torch.float32 for one in model.head.parameters())
    if adapter:
        assert all("lora_" in name or name.startswith("head.") for name in trained)
        shared = {one.data_ptr() for one in model.policy.parameters() if not one.requires_grad}
        frozen = {one.data_ptr() for one in model.value.parameters() if not one.requires_grad}
        assert frozen < shared

    trainable = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.SGD(trainable, lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        ((model(**packed)[2] - 1.0) ** 2).sum().backward()
        optimizer.step()
    after, _, moved = model(**packed)
    assert not moved[packed["mask"]].eq(0).any()
    torch.testing.assert_close(after, before)

    optimizer.zero_grad()
    (-model(**packed)[0].sum()).backward()
    optimizer.step()
    assert not torch.allclose(model(**packed)[0], before, atol=1e-3)
    torch.testing.assert_close(model(**packed)[2], moved)
    assert_same(model.reference(**packed), expected.detach())
