"""Log-probabilities, entropies and values of completions, against a plain pass."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from tests.rounding import assert_same
from tests.trainers.learning.policies import actor, load
from trainers.job.errors import TrainingError
from trainers.job.options import Lora
from trainers.learning import actor_critic
from trainers.learning.actor_critic import ActorCritic, splits, token_logprobs
from trainers.learning.critics import of_reward_model
from trainers.learning.kl import Kl
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


@pytest.mark.parametrize("kl", ["exact", "exact_from_reference"])
@pytest.mark.parametrize("adapter", [None, Lora(r=4)])
def test_exact_kl_is_that_of_float64(
    tiny_language_model: Path, monkeypatch: pytest.MonkeyPatch, adapter: Lora | None, kl: Kl
) -> None:
    """Of a policy that has left its reference, with the gradient; in chunks of four states."""
    model = actor(tiny_language_model, adapter, kl, temperature=0.7)
    reference = load(tiny_language_model).double()
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter) * parameter.requires_grad)
    vocabulary = reference.config.vocab_size
    monkeypatch.setattr(actor_critic, "CHUNK_LOGITS", 8 * vocabulary)
    prompts, completions = [[5, 6, 7], [8]], [[20, 21, 22, 23], [25, 26]]
    packed = pack(prompts, completions, 0, "cpu")
    trained = [one for one in model.policy.parameters() if one.requires_grad]
    *_, found = model(**packed, divergence=True)
    gradient = torch.autograd.grad(found.sum(), trained)

    policy, expected = copy.deepcopy(model.policy).double(), torch.zeros(found.shape).double()
    for row, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        ids = torch.tensor([prompt + completion])
        p, q = (
            Categorical(logits=one(ids).logits[0, len(prompt) - 1 : -1] / 0.7)
            for one in (policy, reference)
        )
        each = kl_divergence(p, q) if kl == "exact" else kl_divergence(q, p)
        expected[row, : len(completion)] = each
    assert expected.max() > 1e-3
    torch.testing.assert_close(found.double(), expected.detach(), rtol=1e-4, atol=1e-6)
    own = [one for one in policy.parameters() if one.requires_grad]
    wanted = torch.autograd.grad(expected.sum(), own)
    for one, other in zip(gradient, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-3, atol=1e-5)
    kept = model.evaluate(packed, 1)
    torch.testing.assert_close(kept["kl"], found.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("adapter", [None, Lora(r=4)])
def test_a_critic_may_begin_as_the_reward_model(
    tiny_language_model: Path, tiny_reward_model: Path, adapter: Lora | None
) -> None:
    """V of a state is at first its logit of the text up to there, in float64, times the weight."""
    from transformers import AutoModelForSequenceClassification

    def judge() -> Any:
        return AutoModelForSequenceClassification.from_pretrained(tiny_reward_model).eval()

    critic = of_reward_model(judge(), adapter, weight=-0.5)
    model = ActorCritic(actor(tiny_language_model, adapter).policy, adapter, 1.0, critic)
    prompts, completions = [[5, 6, 7], [8]], [[20, 21, 22], [25, 26]]
    values = model(**pack(prompts, completions, 0, "cpu"))[2].detach()
    exact = judge().double()
    for row, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        for t in range(len(completion)):
            logit = exact(torch.tensor([prompt + completion[:t]])).logits[0, 0]
            assert float(values[row, t]) == pytest.approx(-0.5 * float(logit), rel=1e-4, abs=1e-5)
    with pytest.raises(TrainingError, match="no decoder with one output"):
        of_reward_model(load(tiny_language_model), adapter, 1.0)


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
