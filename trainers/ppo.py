"""Proximal policy optimisation of a language model, metrics being its rewards.

For a prompt x the policy π_θ draws a completion a_1 … a_T, the stop token an action like any other;
s_t is x, a_1 … a_{t−1}. R(x, a) is earned at the last token, and every token pays for leaving the
frozen reference π_ref, the model that training began with:

    R̃  = (R − m) / s                                  m, s: mean and deviation of all R so far
    r_t = 1[t = T] · (R̃ − p · 1[no stop token]) − β · (log π_old(a_t|s_t) − log π_ref(a_t|s_t))
    δ_t = r_t + γ V_old(s_{t+1}) − V_old(s_t)         V(s_{T+1}) = 0
    Â_t = Σ_{l ≥ 0} (γλ)^l δ_{t+l}                    GAE(γ, λ)
    G_t = Â_t + V_old(s_t)                            what V learns; Â_t then may be whitened

In `ppo_epochs` passes over the same completions, a mean over tokens is minimised:

    L = L_policy + c_v · L_value − c_H · H   (+ β · L_KL, with kl_in = "loss")

    L_policy = max(−Â ρ, −Â clip(ρ, 1 − ε, 1 + ε))    ρ = π_θ(a_t|s_t) / π_old(a_t|s_t)
    L_value  = ½ max((V − G)², (clip(V, V_old − ε_v, V_old + ε_v) − G)²)
    H        = the entropy of π_θ(·|s_t)
    L_KL     = ½ (log π_θ − log π_ref)²               `kl` "sampled", from the action alone
               KL(π_θ ‖ π_ref)(s_t)                   "exact", over the whole vocabulary
               KL(π_ref ‖ π_θ)(s_t)                   "exact_from_reference"

With kl_in = "reward" (the default) the KL reaches the policy through r_t, whose expected gradient
is that of R − β · KL(π_θ ‖ π_ref) over completions. With "loss" it leaves r_t and is a term of its
own: Schulman's k2, whose gradient, unlike k3's, is that of the KL. An exact KL takes the place of
log π_old − log π_ref in r_t, or of k2 in the loss, for another pass of the reference. β is
`kl_coef`; target_kl makes it β (1 + clip(KL / target − 1, ±0.2) · min(n / horizon, 1)) after a
rollout of n completions. V has weights of its own: c_v matters by clipped gradients alone.

R̃ makes β, ε_v, p and `reward_clip` mean the same whatever metric is the reward: R may be in 0 … 1
or 0 … 100 (`normalize_rewards`; without it R̃ is R). m shifts every completion alike, and with
γ = 1 V takes such a shift up. Reported are rewards as the metric has them.

A rollout is num_minibatches · batch_size · gradient_accumulation_steps completions a process, for
ppo_epochs · num_minibatches optimiser steps; an epoch, num_generations completions a prompt.

Schulman et al., 2017 (arXiv:1707.06347); GAE: 2016 (1506.02438); KL in the reward, controller:
Ziegler et al., 2019 (1909.08593); k1, k2, k3: Schulman, 2020 (joschu.net/blog/kl-approx.html). Of
Huang et al., 2022 ("The 37 Implementation Details of PPO") and 2024 (2403.17031),
in:  clipped values; advantages whitened, over the rollout; minibatches shuffled; gradients clipped,
     policy and value model apart; a penalty without a stop token; temperature in the ratio; no
     dropout; rewards clipped or whitened (off); a value model of its own, its head zero at first
     (or, with critic = "reward_model", that of the rewards and its head, on the text so far)
out: Adam's ε of 1e-5, orthogonal initialisation, whitening by minibatch, early end of passes, top-k
     or top-p in the draws, a reference that moves, values beyond a completion that was cut
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from trainers.job.declaration import WITH_PROMPTS, Trainer
from trainers.job.footprint import actor_critic
from trainers.job.options import RewardedOptions, rate
from trainers.learning.clipping import policy_loss, value_loss
from trainers.learning.kl import Kl, kl_estimate, next_kl_coef
from trainers.learning.processes import total
from trainers.learning.returns import RewardScale, advantages, token_rewards
from trainers.learning.statistics import Series, mean_error, moments, prediction

if TYPE_CHECKING:
    from torch import Tensor, nn

    from trainers.job.run import Run
    from trainers.learning.actor_critic import ActorCritic
    from trainers.learning.rewards import Rewards
    from trainers.learning.rollouts import Completions, Writer, Written


class PPOOptions(RewardedOptions):
    """Off values stand beside the defaults."""

    learning_rate: float | None = rate(full=5e-6, lora=2e-4)
    num_generations: int = Field(
        1, ge=1, le=1024, description="Completions of a prompt in a rollout."
    )
    max_completion_length: int = Field(
        128, ge=1, le=10_000_000, description="Tokens of a completion at most."
    )
    num_minibatches: int = Field(
        4, ge=1, le=1_000_000, description="Optimiser steps of a pass over a rollout."
    )
    ppo_epochs: int = Field(4, ge=1, le=1000, description="Passes over a rollout.")
    kl_coef: float = Field(0.05, ge=0, description="β, the price of a nat, in R̃; 0: off.")
    kl_in: Literal["reward", "loss"] = Field("reward", description="Pay for it in r_t, or in L.")
    kl: Kl = Field(
        "sampled", description="From actions, over the vocabulary, or KL(π_ref ‖ π_θ) over it."
    )
    critic: Literal["policy", "reward_model"] = Field(
        "policy", description="What V begins as; the model of the first reward named `reward`."
    )
    target_kl: float | None = Field(
        None, gt=0, description="Nats of KL a completion that β is steered to; null: β stays."
    )
    horizon: int = Field(
        10_000, ge=1, le=10_000_000, description="Completions in which β follows target_kl."
    )
    gamma: float = Field(1.0, ge=0, le=1, description="γ, the discount a token; 1: none.")
    lam: float = Field(0.95, ge=0, le=1, description="λ; 1: Monte Carlo, 0: one step ahead.")
    cliprange: float = Field(0.2, gt=0, description="ε, how far π_θ / π_old counts from 1.")
    cliprange_value: float = Field(0.2, gt=0, description="ε_v, in units of R̃.")
    vf_coef: float = Field(0.1, ge=0, description="c_v, the weight of the loss of the values.")
    entropy_coef: float = Field(0.0, ge=0, description="c_H, the weight of the entropy; 0: off.")
    whiten_advantages: bool = Field(True, description="Advantages of mean 0, deviation 1.")
    whiten_rewards: bool = Field(False, description="Divide r_t by its deviation; the mean stays.")
    normalize_rewards: bool = Field(
        True, description="R less the mean of all so far, by their deviation; false: R as it is."
    )
    reward_clip: float | None = Field(None, gt=0, description="The most |R̃| counts; null: off.")
    missing_eos_penalty: float = Field(
        0.0, ge=0, description="p, in units of R̃, without a stop token; 0: off."
    )

    @model_validator(mode="after")
    def _consistent(self) -> PPOOptions:
        if self.target_kl is not None and self.kl_coef == 0:
            raise ValueError("kl_coef is 0: β is multiplied to reach target_kl, and would stay 0")
        if self.critic == "reward_model" and (self.normalize_rewards or not self.judge):
            raise ValueError("critic reward_model needs a reward `reward`, normalize_rewards false")
        if self.rollout_size % self.num_generations:
            raise ValueError(
                f"num_generations ({self.num_generations}) must divide the rollout: num_minibatches"
                f" · batch_size · gradient_accumulation_steps = {self.rollout_size}"
            )
        return self

    @property
    def rollout_size(self) -> int:
        """N, completions of a process."""
        return self.num_minibatches * self.batch_size * self.gradient_accumulation_steps

    @property
    def steps_per_rollout(self) -> int:
        """Optimiser steps."""
        return self.ppo_epochs * self.num_minibatches


@dataclass
class PPO:
    """The method: `steps` is its loop, `loss` what an optimiser step makes smaller.

    rollout  the completions in use, (N, T) each; `number` says which, counted from 0
    kl_coef  β as it is now
    scale    m and s as they are now
    series   values to be reported
    """

    options: PPOOptions
    model: ActorCritic
    writer: Writer
    rewards: Rewards
    kl_coef: float
    scale: RewardScale = field(default_factory=RewardScale)
    rollout: Completions = field(default_factory=dict)
    number: int = -1
    series: Series = field(default_factory=Series)

    def steps(self, first: int) -> Iterator[list[Completions]]:
        """The micro-batches of every optimiser step, from rollout `first` on.

        OnPolicyTrainer takes each step: `loss` of the micro-batches backward, gradients clipped,
        AdamW and its schedule, a checkpoint where one is due. Then it asks for the next.
        """
        from trainers.learning.rollouts import micro_batches

        options = self.options
        for number in itertools.count(first):
            if number != self.number:  # a resumed run has the one in use from its checkpoint
                self.rollout, self.number = self.collect(number), number
            for lap in range(options.ppo_epochs):
                draws = np.random.default_rng([options.seed, number, lap])
                order = draws.permutation(options.rollout_size)
                for rows in np.array_split(order, options.num_minibatches):
                    yield micro_batches(self.rollout, rows, options.gradient_accumulation_steps)

    def collect(self, number: int) -> Completions:
        """Completions by the policy as it is, and what the losses need of them, (N, T) each."""
        options = self.options
        written = self.writer.write(self.model.policy, number)
        rollout = written.packed | self.model.evaluate(written.packed, options.batch_size)
        mask, values = rollout["mask"], rollout["values"]

        scores = self.earned(written, number, values)
        kl = rollout.get("kl", kl_estimate(rollout["logprobs"], rollout["reference"], "k1")) * mask
        coef = self.kl_coef if options.kl_in == "reward" else 0.0
        rewards = token_rewards(scores, kl, mask, coef)
        if options.whiten_rewards:
            rewards = rewards / (moments(rewards, mask)[1] + 1e-8).sqrt() * mask

        gains = advantages(rewards, values, mask, options.gamma, options.lam)
        rollout["returns"] = gains + values
        mean, variance = moments(gains, mask)
        whitened = (gains - mean) / (variance + 1e-8).sqrt() * mask
        rollout["advantages"] = whitened if options.whiten_advantages else gains
        self.series.add({"advantages/mean": mean, "advantages/std": variance.sqrt()})
        self.series.add(prediction(values, rollout["returns"], mask))
        self.steer(kl)
        return rollout

    def earned(self, written: Written, number: int, like: Tensor) -> Tensor:
        """(N,) R̃ less p, on the device of `like`."""
        options = self.options
        earned = self.rewards(written.records, written.texts, number * options.steps_per_rollout)
        scores = like.new_tensor(earned.total)  # (N,)
        self.series.add({"reward": scores.mean(), "reward/std": scores.std(correction=0)})
        self.series.add(earned.series | written.series)
        error = mean_error(scores.view(-1, options.num_generations))
        self.series.add({"reward/error": error} if error is not None else {})
        if options.normalize_rewards:
            scores = self.scale.normalized(scores)
            self.series.add({"reward/scale": self.scale.deviation})
        if options.reward_clip is not None:
            scores = scores.clamp(-options.reward_clip, options.reward_clip)
        return scores - options.missing_eos_penalty * ~written.ended

    def state(self) -> dict[str, Any]:
        """What a resumed run has to know, as JSON."""
        return {"kl_coef": self.kl_coef, "rewards": self.scale.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """What `state` told; a checkpoint without a scale gets a new one."""
        self.kl_coef = float(state["kl_coef"])
        self.scale = RewardScale.of(state.get("rewards", {}))

    def steer(self, kl: Tensor) -> None:
        """β for the next rollout, from the KL (N, T) of this one."""
        options = self.options
        completions = len(kl) * self.writer.processes
        measured = float(total(kl.sum())) / completions  # nats a completion
        self.series.add({"kl": measured, "kl_coef": self.kl_coef})
        if options.target_kl is not None:
            towards = (options.target_kl, options.horizon, completions)
            self.kl_coef = next_kl_coef(self.kl_coef, measured, *towards)

    def loss(self, model: nn.Module, batch: Completions) -> Tensor:
        """L of a micro-batch: the sum over its tokens, divided by `batch["tokens"]`."""
        options, mask, old = self.options, batch["mask"], batch["logprobs"]

        def mean(values: Tensor) -> Tensor:
            return (values * mask).sum() / batch["tokens"]

        exactly = options.kl != "sampled" and options.kl_in == "loss"
        # (B, T) each
        logprobs, entropy, values, *exact = model(batch["ids"], batch["prompts"], mask, exactly)
        policy, clipped = policy_loss(logprobs, old, batch["advantages"], options.cliprange)
        value, value_clipped = value_loss(
            values, batch["values"], batch["returns"], options.cliprange_value
        )
        kl = exact[0] if exact else kl_estimate(logprobs, batch["reference"], "k2")
        loss = mean(policy) + options.vf_coef * mean(value)
        if options.entropy_coef:
            loss = loss - options.entropy_coef * mean(entropy)
        if options.kl_in == "loss":
            loss = loss + self.kl_coef * mean(kl)
        self.series.add(
            {
                "loss/policy": mean(policy),
                "loss/value": mean(value),
                "loss/kl": mean(kl),
                "entropy": mean(entropy),
                "ratio": mean((logprobs - old).exp()),
                "clip_fraction/policy": mean(clipped),
                "clip_fraction/value": mean(value_clipped),
                "kl/step": mean(kl_estimate(old, logprobs, "k3")),  # π_old to π_θ, nats a token
            }
        )
        return loss


def train(options: PPOOptions, run: Run) -> None:
    """Raises InputError for rewards and prompts that cannot be used, TrainingError for the rest."""
    import transformers

    from trainers.learning.actor_critic import ActorCritic
    from trainers.learning.arguments import arguments
    from trainers.learning.callbacks import Reporting
    from trainers.learning.critics import of_reward
    from trainers.learning.models import adapted, load_start
    from trainers.learning.on_policy import OnPolicyTrainer
    from trainers.learning.prompts import encoded
    from trainers.learning.rewards import Rewards
    from trainers.learning.rollouts import Writer, stop_ids

    rewards = Rewards.of(options, run)
    start, tokenizer = load_start(run, options)
    prompts = encoded(run, options, start, tokenizer)
    run.prepared(tokenizer, prompts[0][1])
    reward = options.judge if options.critic == "reward_model" else None
    critic = of_reward(reward, options, run, tokenizer) if reward is not None else None
    policy = adapted(start, options)
    model = ActorCritic(policy, options.adapter, options.temperature, critic, options.kl)
    stops = stop_ids(start, tokenizer)
    writer = Writer(prompts, tokenizer, stops, options, run.rank, run.spec.processes)
    OnPolicyTrainer(
        model,
        PPO(options, model, writer, rewards, options.kl_coef),
        steps_per_rollout=options.steps_per_rollout,
        rollouts_per_epoch=options.rollouts(len(prompts), run.spec.processes),
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
    previews=True,
    steps=PPOOptions.steps,
    shards=False,
    resizes=False,
    sequences=(("prompt",),),
    objective_series=("reward",),
    footprint=actor_critic(lambda asked: asked.judge if asked.critic == "reward_model" else None),
)
