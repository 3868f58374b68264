"""Proximal policy optimisation of a language model, metrics being its rewards.

For a prompt x the policy π_θ draws a completion a_1 … a_T, the stop token an action like any other;
s_t is x, a_1 … a_{t−1}. R(x, a) is earned at the last token, and every token pays for leaving the
frozen reference π_ref, the model that training began with:

    r_t = 1[t = T] · (R − p · 1[no stop token]) − β · (log π_old(a_t|s_t) − log π_ref(a_t|s_t))
    δ_t = r_t + γ V_old(s_{t+1}) − V_old(s_t)         V(s_{T+1}) = 0
    Â_t = Σ_{l ≥ 0} (γλ)^l δ_{t+l}                    GAE(γ, λ)
    G_t = Â_t + V_old(s_t)                            what V learns; Â_t then may be whitened

In `ppo_epochs` passes over the same completions, a mean over tokens is minimised:

    L = L_policy + c_v · L_value − c_H · H   (+ β · L_KL, with kl_in = "loss")

    L_policy = max(−Â ρ, −Â clip(ρ, 1 − ε, 1 + ε))    ρ = π_θ(a_t|s_t) / π_old(a_t|s_t)
    L_value  = ½ max((V − G)², (clip(V, V_old − ε_v, V_old + ε_v) − G)²)
    H        = the entropy of π_θ(·|s_t)
    L_KL     = ½ (log π_θ − log π_ref)²

With kl_in = "reward" (the default) the KL reaches the policy through r_t, whose expected gradient
is that of R − β · KL(π_θ ‖ π_ref) over completions. With "loss" it leaves r_t and is a term of its
own: Schulman's k2, whose gradient, unlike k3's, is that of the KL. β is `kl_coef`; with `target_kl`
it becomes β (1 + clip(KL / target − 1, ±0.2) · min(n / horizon, 1)) after n completions, a rollout.
V has weights of its own, so under Adam c_v matters only by the clipping of its gradient.

A rollout is num_minibatches · batch_size · gradient_accumulation_steps completions a process, and
lasts ppo_epochs · num_minibatches optimiser steps: those are what `max_steps` counts. An epoch is
num_generations completions of every prompt.

Schulman et al., 2017 (arXiv:1707.06347); GAE: 2016 (1506.02438); KL in the reward, controller:
Ziegler et al., 2019 (1909.08593); k1, k2, k3: Schulman, 2020 (joschu.net/blog/kl-approx.html). Of
Huang et al., 2022 ("The 37 Implementation Details of PPO") and 2024 (2403.17031),
in:  clipped values, GAE, advantages whitened (over the rollout), minibatches shuffled, gradients
     clipped (policy and value model apart), diagnostics of KL and clips, one reward at the last
     token, a penalty where no stop token came, temperature in the ratio, no dropout, rewards
     clipped or whitened (off), a value model apart from the policy, its head small (zero) at first
out: Adam's ε of 1e-5, orthogonal initialisation, whitening by minibatch, early end of passes, a
     value model that begins as the reward model, top-k or top-p in the draws, a reference that
     moves, values beyond a completion cut at max_completion_length (it ends there)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from trainers.job.declaration import WITH_PROMPTS, Trainer
from trainers.job.footprint import Footprint, a_reference, chunked_positions, completion_tokens
from trainers.job.options import RewardedOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from trainers.job.run import Run
    from trainers.learning.actor_critic import ActorCritic
    from trainers.learning.on_policy import Total
    from trainers.learning.rewards import Rewards
    from trainers.learning.rollouts import Completions, Writer


class PPOOptions(RewardedOptions):
    """Off values stand beside the defaults."""

    num_generations: int = Field(default=1, ge=1)  # completions of a prompt in a rollout
    max_completion_length: int = Field(
        default=128, ge=1, description="Tokens of a completion at most; prompts have the rest."
    )
    num_minibatches: int = Field(default=4, ge=1)  # optimiser steps a pass
    ppo_epochs: int = Field(default=4, ge=1)  # passes over a rollout
    kl_coef: float = Field(default=0.05, ge=0)  # β; 0: off
    kl_in: Literal["reward", "loss"] = "reward"
    target_kl: float | None = Field(default=None, gt=0)  # nats a completion; None: β stays
    horizon: int = Field(default=10_000, ge=1)  # completions in which β follows
    gamma: float = Field(default=1.0, ge=0, le=1)  # 1: no discount
    lam: float = Field(default=0.95, ge=0, le=1)  # 1: Monte Carlo; 0: one step ahead
    cliprange: float = Field(default=0.2, gt=0)  # ε
    cliprange_value: float = Field(default=0.2, gt=0)  # ε_v, in units of reward
    vf_coef: float = Field(default=0.1, ge=0)  # c_v
    entropy_coef: float = Field(default=0.0, ge=0)  # c_H; 0: off
    whiten_advantages: bool = True
    whiten_rewards: bool = False  # r_t over its deviation; the mean stays
    reward_clip: float | None = Field(default=None, gt=0)  # |R| at most; None: off
    missing_eos_penalty: float = Field(default=0.0, ge=0)  # p, in units of reward; 0: off

    @model_validator(mode="after")
    def _consistent(self) -> PPOOptions:
        if self.target_kl is not None and self.kl_coef == 0:
            raise ValueError("kl_coef is 0: β is multiplied to reach target_kl, and would stay 0")
        if self.adapter and self.adapter.dropout:
            raise ValueError("lora.dropout must be 0: π_θ / π_old would not be 1 at first")
        if self.rollout_size % self.num_generations:
            raise ValueError(
                f"num_generations ({self.num_generations}) must divide the rollout: num_minibatches"
                f" · batch_size · gradient_accumulation_steps = {self.rollout_size}"
            )
        return self

    @property
    def rollout_size(self) -> int:
        """Completions a process."""
        return self.num_minibatches * self.batch_size * self.gradient_accumulation_steps


def advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """(B, T) Â of rewards and values (B, T); `mask` is true up to each completion's end."""
    import torch

    found = torch.zeros_like(rewards)
    after = next_value = torch.zeros_like(rewards[:, 0])  # (B,)
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        after = (delta + gamma * lam * after) * mask[:, t]
        next_value = values[:, t] * mask[:, t]
        found[:, t] = after
    return found


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, coef: float) -> Tensor:
    """(B, T) r_t: −coef · kl at every token, and the completion's score (B,) at its last."""
    rewards = -coef * kl * mask
    rewards[range(len(scores)), mask.sum(1) - 1] += scores
    return rewards


def policy_loss(
    logprobs: Tensor, old: Tensor, advantages: Tensor, cliprange: float
) -> tuple[Tensor, Tensor]:
    """(B, T) L_policy of every token, and where the clip decides it."""
    ratio = (logprobs - old).exp()
    plain = -advantages * ratio
    clipped = -advantages * ratio.clamp(1 - cliprange, 1 + cliprange)
    return plain.maximum(clipped), clipped > plain


def value_loss(
    values: Tensor, old: Tensor, returns: Tensor, cliprange: float
) -> tuple[Tensor, Tensor]:
    """(B, T) L_value of every token, and where the clip decides it."""
    plain = (values - returns) ** 2
    clipped = (old + (values - old).clamp(-cliprange, cliprange) - returns) ** 2
    return plain.maximum(clipped) / 2, clipped > plain


def kl_estimate(logprobs: Tensor, reference: Tensor, kind: Literal["k1", "k2", "k3"]) -> Tensor:
    """KL(π ‖ π_ref) from actions drawn by π, each: k1 is unbiased, k2 and k3 are never negative."""
    k1 = logprobs - reference
    if kind == "k1":
        return k1
    return k1**2 / 2 if kind == "k2" else (-k1).exp() - 1 + k1


def next_kl_coef(coef: float, kl: float, target: float, horizon: int, completions: int) -> float:
    """β after a rollout that measured `kl` nats a completion."""
    error = min(max(kl / target - 1, -0.2), 0.2)
    return coef * (1 + error * min(completions / horizon, 1))


class PPO:
    """The method, as `trainers.learning.on_policy` asks for it."""

    def __init__(
        self,
        options: PPOOptions,
        model: ActorCritic,
        writer: Writer,
        rewards: Rewards,
    ) -> None:
        self.options = options
        self.model = model
        self.writer = writer
        self.rewards = rewards
        self.kl_coef = options.kl_coef

    def collect(self, number: int, total: Total) -> tuple[Completions, dict[str, float]]:
        """Completions with what the losses need of the policy that wrote them, (R, T) each."""
        from trainers.learning.on_policy import moments

        rollout, scores, shown = self._write(number)
        mask, logprobs = rollout["mask"], rollout["logprobs"]
        kl = kl_estimate(logprobs, rollout["reference"], "k1") * mask
        coef = self.kl_coef if self.options.kl_in == "reward" else 0.0
        rewards = token_rewards(scores, kl, mask, coef)
        if self.options.whiten_rewards:
            rewards = rewards / (moments(rewards, mask, total)[1] + 1e-8).sqrt() * mask
        values = rollout["values"]
        found = advantages(rewards, values, mask, self.options.gamma, self.options.lam)
        rollout["returns"] = found + values
        mean, variance = moments(found, mask, total)
        rollout["advantages"] = found
        if self.options.whiten_advantages:
            rollout["advantages"] = (found - mean) / (variance + 1e-8).sqrt() * mask
        shown |= {"advantages/mean": float(mean), "advantages/std": float(variance.sqrt())}
        shown |= self._describe(rollout, kl, total)
        if self.options.target_kl is not None:
            self.kl_coef = next_kl_coef(
                self.kl_coef,
                shown["kl"],
                self.options.target_kl,
                self.options.horizon,
                len(scores) * self.writer.processes,
            )
        return rollout, shown

    def loss(self, model: nn.Module, batch: Completions) -> tuple[Tensor, dict[str, Tensor]]:
        """L of a micro-batch, and its terms."""
        options, mask = self.options, batch["mask"]

        def mean(values: Tensor) -> Tensor:
            return (values * mask).sum() / batch["tokens"]

        logprobs, entropy, values = model(batch["ids"], batch["prompts"], mask)
        old = batch["logprobs"]
        policy, clipped = policy_loss(logprobs, old, batch["advantages"], options.cliprange)
        value, value_clipped = value_loss(
            values, batch["values"], batch["returns"], options.cliprange_value
        )
        kl = kl_estimate(logprobs, batch["reference"], "k2")
        loss = mean(policy) + options.vf_coef * mean(value)
        if options.entropy_coef:
            loss = loss - options.entropy_coef * mean(entropy)
        if options.kl_in == "loss":
            loss = loss + self.kl_coef * mean(kl)
        shown = {
            "loss/policy": mean(policy),
            "loss/value": mean(value),
            "loss/kl": mean(kl),
            "entropy": mean(entropy),
            "ratio": mean((logprobs - old).exp()),
            "clip_fraction/policy": mean(clipped),
            "clip_fraction/value": mean(value_clipped),
            "kl/step": mean(kl_estimate(old, logprobs, "k3")),  # of the policy that wrote, a token
        }
        return loss, {name: found.detach() for name, found in shown.items()}

    def state(self) -> dict[str, float]:
        return {"kl_coef": self.kl_coef}

    def load(self, state: dict[str, float]) -> None:
        self.kl_coef = state["kl_coef"]

    def _write(self, number: int) -> tuple[Completions, Tensor, dict[str, float]]:
        """Completions, as the policy, the reference and the value model see them; scores (R,) less
        the penalty; what is to be told of them."""
        import torch

        options = self.options
        written = self.writer.write(self.model.policy, number)
        rollout = written.packed | self.model.look(written.packed, options.batch_size)
        step = number * options.ppo_epochs * options.num_minibatches
        earned = self.rewards(written.records, written.texts, step)
        scores = torch.as_tensor(earned.total, dtype=torch.float32, device=rollout["mask"].device)
        shown = earned.series | {
            "reward": float(scores.mean()),
            "reward/std": float(scores.std(correction=0)),
            "kl_coef": self.kl_coef,
            "completions/length": float(rollout["mask"].sum(1).float().mean()),
            "completions/ended": float(written.ended.float().mean()),
        }
        if options.reward_clip is not None:
            scores = scores.clamp(-options.reward_clip, options.reward_clip)
        return rollout, scores - options.missing_eos_penalty * ~written.ended, shown

    def _describe(self, rollout: Completions, kl: Tensor, total: Total) -> dict[str, float]:
        """KL in nats a completion; how much of the returns the values foretold (1: all)."""
        from trainers.learning.on_policy import moments

        mask, returns, values = rollout["mask"], rollout["returns"], rollout["values"]
        mean, variance = moments(returns, mask, total)
        unexplained = moments(returns - values, mask, total)[1]
        completions = len(kl) * self.writer.processes
        return {
            "kl": float(total(kl.sum())) / completions,
            "returns/mean": float(mean),
            "returns/std": float(variance.sqrt()),
            "explained_variance": float(1 - unexplained / variance) if variance > 0 else 0.0,
        }


def train(options: PPOOptions, run: Run) -> None:
    """Raises InputError for rewards and prompts that cannot be used, TrainingError for the rest."""
    import transformers

    from trainers.learning.actor_critic import ActorCritic
    from trainers.learning.arguments import arguments
    from trainers.learning.callbacks import Reporting
    from trainers.learning.models import adapted, load_start
    from trainers.learning.on_policy import OnPolicyTrainer
    from trainers.learning.prompts import encoded
    from trainers.learning.rewards import Rewards
    from trainers.learning.rollouts import Writer, stop_ids

    rewards = Rewards.of(options, run)
    start, tokenizer = load_start(run, options)
    prompts = encoded(run, options, start, tokenizer, options.max_completion_length)
    model = ActorCritic(adapted(start, options), options.adapter, options.temperature)
    writer = Writer(
        prompts,
        tokenizer,
        stop_ids(start, tokenizer),
        size=options.rollout_size,
        group=options.num_generations,
        max_new_tokens=options.max_completion_length,
        temperature=options.temperature,
        batch_size=options.num_minibatches * options.batch_size,
        seed=options.seed,
        rank=run.rank,
        processes=run.spec.processes,
    )
    completions = len(prompts) * options.num_generations  # an epoch's
    OnPolicyTrainer(
        model,
        PPO(options, model, writer, rewards),
        passes=options.ppo_epochs,
        minibatches=options.num_minibatches,
        rollouts_per_epoch=math.ceil(completions / (options.rollout_size * run.spec.processes)),
        tokenizer=tokenizer,
        args=transformers.TrainingArguments(**arguments(options, run)),
        callbacks=[Reporting(run, TRAINER, options)],
    ).train(resume_from_checkpoint=run.resume)


TRAINER = Trainer(
    name="ppo",
    about="Policy gradient with a value model, clipped, against metrics as rewards",
    objective="max(−Â ρ, −Â clip(ρ, 1 ± ε)) + c_v ½ max((V − G)², (V_clip − G)²) − c_H H, "
    "Â by GAE of R − β log(π / π_ref)",
    paper="Schulman et al., 2017 (arXiv:1707.06347); Ziegler et al., 2019 (arXiv:1909.08593)",
    options=PPOOptions,
    kinds=WITH_PROMPTS,
    produces="language",
    train=train,
    shards=False,
    sequences=(("prompt",),),
    objective_series=("reward",),
    footprint=Footprint(
        reference=a_reference,
        learners=2,
        positions=chunked_positions,
        written=completion_tokens,
    ),
)
