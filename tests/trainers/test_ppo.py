"""PPO's mathematics: against numbers worked out by hand, and against the definitions."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

import trainers
from inference.errors import InputError
from tests.rounding import assert_same
from trainers import ppo
from trainers.job.options import Lora
from trainers.learning import actor_critic
from trainers.learning.actor_critic import ActorCritic, splits, token_logprobs
from trainers.learning.rollouts import drawn, pack, sample, take
from trainers.learning.statistics import moments
from trainers.ppo import PPOOptions

REWARDS = [{"metric": "chrf"}]


def alone(values: Tensor) -> Tensor:
    """A sum over the one process there is."""
    return values


# Advantages


def test_advantages_by_hand() -> None:
    """γ = 0.9, λ = 0.5: δ_3 = 2 − 0.3, δ_2 = 0.1 + 0.9 · 0.3 − 0.2, δ_1 = 0.9 · 0.2 − 0.5."""
    rewards = torch.tensor([[0.0, 0.1, 2.0], [1.0, 7.0, 7.0]])
    values = torch.tensor([[0.5, 0.2, 0.3], [0.4, 9.0, 9.0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    found = ppo.advantages(rewards, values, mask, gamma=0.9, lam=0.5)
    third = 1.7
    second = 0.17 + 0.45 * third
    first = -0.32 + 0.45 * second
    expected = torch.tensor([[first, second, third], [0.6, 0.0, 0.0]])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.5), (0.7, 0.0), (0.99, 1.0)])
def test_advantages_by_definition(gamma: float, lam: float) -> None:
    torch.manual_seed(0)
    lengths = [7, 1, 4, 3]
    rewards, values = torch.randn(4, 7).double(), torch.randn(4, 7).double()
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    found = ppo.advantages(rewards, values, mask, gamma, lam)
    for row, length in enumerate(lengths):
        r, v = rewards[row], values[row]
        for t in range(length):
            expected = 0.0
            for later in range(t, length):  # Â_t = Σ_l (γλ)^l δ_{t+l}
                after = float(v[later + 1]) if later + 1 < length else 0.0
                delta = float(r[later]) + gamma * after - float(v[later])
                expected += (gamma * lam) ** (later - t) * delta
            assert float(found[row, t]) == pytest.approx(expected, abs=1e-12)
        assert found[row, length:].eq(0).all()
        if lam == 1.0:  # Monte Carlo: what is still to come, less what was expected
            to_come = sum(gamma**t * float(r[t]) for t in range(length))
            assert float(found[row, 0] + v[0]) == pytest.approx(to_come)


def test_rewards_of_tokens() -> None:
    scores = torch.tensor([3.0, -1.0])
    kl = torch.tensor([[0.1, -0.2, 9.0], [0.5, 0.0, 1.0]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    found = ppo.token_rewards(scores, kl, mask, coef=0.5)
    expected = torch.tensor([[-0.05, 3.1, 0.0], [-0.25, 0.0, -1.5]])
    torch.testing.assert_close(found, expected)


# Losses


def test_policy_loss_is_clipped_on_the_side_that_gains() -> None:
    """ρ of 1.5 and 0.5, A of ±2, ε = 0.2: the pessimistic bound, and the clip's gradient is 0."""
    ratio = torch.tensor([[1.5, 1.5, 0.5, 0.5, 1.1]])
    logprobs = ratio.log().requires_grad_()
    advantages = torch.tensor([[2.0, -2.0, 2.0, -2.0, 2.0]])
    loss, clipped = ppo.policy_loss(logprobs, torch.zeros(1, 5), advantages, 0.2)
    torch.testing.assert_close(loss, torch.tensor([[-2.4, 3.0, -1.0, 1.6, -2.2]]))
    assert clipped.tolist() == [[True, False, False, True, False]]
    loss.sum().backward()
    assert logprobs.grad is not None
    torch.testing.assert_close(logprobs.grad, torch.tensor([[0.0, 3.0, -1.0, 0.0, -2.2]]))


def test_value_loss_is_clipped_on_both_sides() -> None:
    """V_old = 0, ε_v = 0.2: V = ±0.5 moved too fast towards G = ±0.4; from G = ∓1 it moved away."""
    values = torch.tensor([[0.5, -0.5, 0.5, -0.5, 0.1]], requires_grad=True)
    returns = torch.tensor([[0.4, -0.4, -1.0, 1.0, 0.4]])
    loss, clipped = ppo.value_loss(values, torch.zeros(1, 5), returns, 0.2)
    torch.testing.assert_close(loss, torch.tensor([[0.02, 0.02, 1.125, 1.125, 0.045]]))
    assert clipped.tolist() == [[True, True, False, False, False]]
    loss.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, torch.tensor([[0.0, 0.0, 1.5, -1.5, -0.3]]))


def test_at_ratio_one_the_gradient_is_that_of_reinforce() -> None:
    torch.manual_seed(1)
    actions, advantages = torch.randint(9, (3, 5)), torch.randn(3, 5)
    logits = torch.randn(3, 5, 9, requires_grad=True)
    logprobs = logits.log_softmax(-1).gather(-1, actions[..., None])[..., 0]
    loss, clipped = ppo.policy_loss(logprobs, logprobs.detach(), advantages, 0.2)
    (found,) = torch.autograd.grad(loss.sum(), logits, retain_graph=True)
    (expected,) = torch.autograd.grad(-(advantages * logprobs).sum(), logits)
    torch.testing.assert_close(found, expected)
    assert not clipped.any()


# KL


@pytest.mark.parametrize(("kind", "tolerance"), [("k1", 0.01), ("k3", 0.01), ("k2", 0.03)])
def test_kl_estimates_the_kl(kind: str, tolerance: float) -> None:
    """k1 and k3 without bias; k2 with one that is small where the policies are near."""
    torch.manual_seed(2)
    logits = torch.randn(20)
    policy, reference = Categorical(logits=logits), Categorical(logits=logits + torch.randn(20) / 3)
    draws = policy.sample((100_000,))
    found = ppo.kl_estimate(policy.log_prob(draws), reference.log_prob(draws), kind)  # type: ignore[arg-type]
    assert float(found.mean()) == pytest.approx(float(kl_divergence(policy, reference)), rel=0.1)
    assert float(found.mean()) == pytest.approx(
        float(kl_divergence(policy, reference)), abs=tolerance
    )
    if kind != "k1":
        assert (found >= 0).all()


def test_gradient_of_k2_is_that_of_the_kl_and_k3s_is_not() -> None:
    """In expectation over the policy's own draws, summed exactly over a small vocabulary."""
    torch.manual_seed(3)
    logits, reference = torch.randn(6, requires_grad=True), torch.randn(6).log_softmax(-1)

    def gradient(kind: str) -> Tensor:
        logprobs = logits.log_softmax(-1)
        estimate = ppo.kl_estimate(logprobs, reference, kind)  # type: ignore[arg-type]
        return torch.autograd.grad((logprobs.exp().detach() * estimate).sum(), logits)[0]

    logprobs = logits.log_softmax(-1)
    exact = torch.autograd.grad((logprobs.exp() * (logprobs - reference)).sum(), logits)[0]
    torch.testing.assert_close(gradient("k2"), exact)
    assert not torch.allclose(gradient("k3"), exact, atol=1e-2)


def test_controller_moves_towards_its_target() -> None:
    """On a policy whose KL is inverse to β, from far above and far below."""
    assert ppo.next_kl_coef(0.1, kl=60, target=6, horizon=1000, completions=100) == 0.1 * 1.02
    assert ppo.next_kl_coef(0.1, kl=0, target=6, horizon=1000, completions=100) == 0.1 * 0.98
    assert ppo.next_kl_coef(0.1, kl=6, target=6, horizon=1000, completions=100) == 0.1
    for first in (0.001, 10.0):
        coef = first
        for _ in range(200):
            coef = ppo.next_kl_coef(coef, 0.6 / coef, target=6, horizon=100, completions=100)
        assert 0.6 / coef == pytest.approx(6, rel=0.02)


def test_moments_where_the_mask_is_true() -> None:
    values = torch.tensor([[1.0, 2.0, 99.0], [6.0, 99.0, 99.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    mean, variance = moments(values, mask, alone)
    assert (float(mean), float(variance)) == pytest.approx((3.0, 14 / 3))
    twice = moments(values, mask, lambda one: one + one)  # two processes that saw the same
    assert [float(one) for one in twice] == pytest.approx([3.0, 14 / 3])


# What the model says


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
    expected, _ = token_logprobs(plain, **packed, temperature=1.0)
    assert_same(before.detach(), expected.detach())
    assert_same(model.reference(**packed), expected.detach())
    assert values.eq(0).all()

    trained = {name for name, one in model.named_parameters() if one.requires_grad}
    assert any(name.startswith("value.") for name in trained)
    assert any(name.startswith("policy.") for name in trained)
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


def test_padding_that_nobody_needs_is_cut(tiny_language_model: Path) -> None:
    model = actor(tiny_language_model)
    packed = pack([[5, 6, 7], [8], [9]], [[20, 21, 22, 23], [25, 26], [27]], 0, "cpu")
    whole = model(**packed)[0]
    some = take(packed, torch.tensor([2, 1]))
    assert some["ids"].shape == (2, 3)
    assert some["mask"].shape == (2, 2)
    assert_same(model(**some)[0].detach(), whole[[2, 1], :2].detach())


# What it writes


def test_draws_are_from_the_whole_policy_and_depend_on_the_seed(tiny_language_model: Path) -> None:
    model = load(tiny_language_model)
    model.generation_config.top_k = 1  # a model's own settings would make every draw the same
    own = model.generation_config
    settings = {"max_new_tokens": 6, "temperature": 1.0, "pad_id": 0, "batch_size": 16}
    prompts = [[5, 6, 7], [8, 9]] * 16

    def draw(*seed: int, stops: tuple[int, ...] = ()) -> list[list[int]]:
        return sample(model, prompts, seed=seed, stop_ids=stops, **settings)  # type: ignore[arg-type]

    state = torch.get_rng_state()
    found = draw(1, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.generation_config is own
    assert found == draw(1, 2)
    assert found != draw(1, 3)
    assert all(len(row) == 6 for row in found)
    assert len({tuple(row) for row in found[::2]}) > 8

    stop = found[0][2]
    stopped = draw(1, 2, stops=(stop,))
    at = found[0].index(stop)
    assert stopped[0] == found[0][: at + 1]  # the stop token is part of the completion
    assert all(stop not in row[:-1] for row in stopped)


def test_draws_follow_the_policys_probabilities(tiny_language_model: Path) -> None:
    """First tokens of 3,000 draws at temperature 0.5, by χ² over the likely ones."""
    model = load(tiny_language_model)
    count = 3000
    found = sample(
        model,
        [[5, 6, 7]] * count,
        max_new_tokens=1,
        temperature=0.5,
        stop_ids=(),
        pad_id=0,
        batch_size=count,
        seed=(7,),
    )
    with torch.no_grad():
        expected = (model(torch.tensor([[5, 6, 7]])).logits[0, -1] / 0.5).softmax(-1) * count
    seen = torch.bincount(torch.tensor(found)[:, 0], minlength=len(expected)).float()
    likely = expected > 5
    statistic = float(((seen - expected) ** 2 / expected)[likely].sum())
    freedom = int(likely.sum())
    assert statistic < freedom + 5 * math.sqrt(2 * freedom)


def test_prompts_come_in_permutations_wherever_one_begins() -> None:
    whole = drawn(5, 0, 17, seed=3)
    assert sorted(whole[:5]) == sorted(whole[5:10]) == list(range(5))
    assert whole[:5] != whole[5:10]
    for start, count in itertools.product(range(8), (1, 4, 9)):
        assert drawn(5, start, count, seed=3) == whole[start : start + count]
    assert drawn(5, 0, 17, seed=4) != whole


# Options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "rewards"),
        ({"rewards": []}, "rewards"),
        ({"rewards": REWARDS, "target_kl": 6, "kl_coef": 0}, "kl_coef is 0"),
        ({"rewards": REWARDS, "lora": {"dropout": 0.1}}, "lora.dropout"),
        ({"rewards": REWARDS, "num_generations": 3}, "must divide the rollout"),
        ({"rewards": REWARDS, "beta": 0.1}, "no 'beta' among its options"),
        ({"rewards": REWARDS, "lam": 1.5}, "lam"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        trainers.parse(trainers.find("ppo"), options)


def test_rollout_size() -> None:
    options = PPOOptions.model_validate(
        {"rewards": REWARDS, "batch_size": 3, "gradient_accumulation_steps": 2}
        | {"num_minibatches": 4, "num_generations": 6}
    )
    assert options.rollout_size == 24


def load(folder: Path) -> torch.nn.Module:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


def actor(folder: Path, adapter: Lora | None = None) -> ActorCritic:
    from peft import LoraConfig, get_peft_model

    policy = load(folder)
    if adapter:
        config = LoraConfig(r=adapter.r, target_modules=["q_proj", "down_proj"])
        policy = get_peft_model(policy, config)
    torch.manual_seed(0)
    return ActorCritic(policy, adapter, temperature=1.0)
