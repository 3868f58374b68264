"""PPO's mathematics: against numbers worked out by hand, and against the definitions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

import trainers
from inference.errors import InputError
from trainers.learning import clipping, kl, returns
from trainers.ppo import PPOOptions

REWARDS = [{"metric": "chrf"}]
JUDGED = [*REWARDS, {"metric": "reward", "params": {"model": "judge"}}]


# Advantages


def test_advantages_by_hand() -> None:
    """γ = 0.9, λ = 0.5: δ_3 = 2 − 0.3, δ_2 = 0.1 + 0.9 · 0.3 − 0.2, δ_1 = 0.9 · 0.2 − 0.5."""
    rewards = torch.tensor([[0.0, 0.1, 2.0], [1.0, 7.0, 7.0]])
    values = torch.tensor([[0.5, 0.2, 0.3], [0.4, 9.0, 9.0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    found = returns.advantages(rewards, values, mask, gamma=0.9, lam=0.5)
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
    found = returns.advantages(rewards, values, mask, gamma, lam)
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
    found = returns.token_rewards(scores, kl, mask, coef=0.5)
    expected = torch.tensor([[-0.05, 3.1, 0.0], [-0.25, 0.0, -1.5]])
    torch.testing.assert_close(found, expected)


# Losses


def test_policy_loss_is_clipped_on_the_side_that_gains() -> None:
    """ρ of 1.5 and 0.5, A of ±2, ε = 0.2: the pessimistic bound, and the clip's gradient is 0."""
    ratio = torch.tensor([[1.5, 1.5, 0.5, 0.5, 1.1]])
    logprobs = ratio.log().requires_grad_()
    advantages = torch.tensor([[2.0, -2.0, 2.0, -2.0, 2.0]])
    loss, clipped = clipping.policy_loss(logprobs, torch.zeros(1, 5), advantages, 0.2)
    torch.testing.assert_close(loss, torch.tensor([[-2.4, 3.0, -1.0, 1.6, -2.2]]))
    assert clipped.tolist() == [[True, False, False, True, False]]
    loss.sum().backward()
    assert logprobs.grad is not None
    torch.testing.assert_close(logprobs.grad, torch.tensor([[0.0, 3.0, -1.0, 0.0, -2.2]]))


def test_value_loss_is_clipped_on_both_sides() -> None:
    """V_old = 0, ε_v = 0.2: V = ±0.5 moved too fast towards G = ±0.4; from G = ∓1 it moved away."""
    values = torch.tensor([[0.5, -0.5, 0.5, -0.5, 0.1]], requires_grad=True)
    returns = torch.tensor([[0.4, -0.4, -1.0, 1.0, 0.4]])
    loss, clipped = clipping.value_loss(values, torch.zeros(1, 5), returns, 0.2)
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
    loss, clipped = clipping.policy_loss(logprobs, logprobs.detach(), advantages, 0.2)
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
    found = kl.kl_estimate(policy.log_prob(draws), reference.log_prob(draws), kind)  # type: ignore[arg-type]
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
        estimate = kl.kl_estimate(logprobs, reference, kind)  # type: ignore[arg-type]
        return torch.autograd.grad((logprobs.exp().detach() * estimate).sum(), logits)[0]

    logprobs = logits.log_softmax(-1)
    exact = torch.autograd.grad((logprobs.exp() * (logprobs - reference)).sum(), logits)[0]
    torch.testing.assert_close(gradient("k2"), exact)
    assert not torch.allclose(gradient("k3"), exact, atol=1e-2)


def test_controller_moves_towards_its_target() -> None:
    """On a policy whose KL is inverse to β, from far above and far below."""
    assert kl.next_kl_coef(0.1, kl=60, target=6, horizon=1000, completions=100) == 0.1 * 1.02
    assert kl.next_kl_coef(0.1, kl=0, target=6, horizon=1000, completions=100) == 0.1 * 0.98
    assert kl.next_kl_coef(0.1, kl=6, target=6, horizon=1000, completions=100) == 0.1
    for first in (0.001, 10.0):
        coef = first
        for _ in range(200):
            coef = kl.next_kl_coef(coef, 0.6 / coef, target=6, horizon=100, completions=100)
        assert 0.6 / coef == pytest.approx(6, rel=0.02)


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
        (
            {"rewards": REWARDS, "critic": "reward_model", "normalize_rewards": False},
            "needs a reward",
        ),
        ({"rewards": JUDGED, "critic": "reward_model"}, "normalize_rewards false"),
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
