"""Group relative policy optimisation: several completions a prompt, each against the others.

For a prompt x the policy π_old draws a group y_1 … y_K, and each earns R_i = R(x, y_i): a metric's
per-sample value, or a weighted sum of several. What is learned from is how they differ,

    A_i = (R_i − b_i) / (s + 10⁻⁴)
    b_i = mean of R_1 … R_K                   baseline "mean"
          mean of the other K − 1             baseline "leave_one_out": unbiased, as in RLOO
    s   = deviation of R within the group     scale_rewards "group"
          deviation over the whole batch      "batch";   without the division: "none"

(deviations with n − 1; leaving one out multiplies R_i − b_i by K / (K − 1)). For every token t

    ρ_it  = π_θ(y_it | x, y_i<t) / π_old(y_it | x, y_i<t)
    KL_it = ρ_it (π_ref / π_θ − log(π_ref / π_θ) − 1), of that token
    l_it  = min(ρ_it A_i, clip(ρ_it, 1 − ε, 1 + ε′) A_i) − β KL_it        ε′ = ε, or `clip_high`

and this is minimised, in `iterations` (μ) optimiser steps over the same N completions:

    L(θ)  = − (1/N) Σ_i (1/|y_i|) Σ_t l_it          loss_type "grpo", the paper's
            − (1/Σ_i |y_i|) Σ_i Σ_t l_it            "dapo": all tokens weigh the same
            − (1/(N · T)) Σ_i Σ_t l_it              "dr_grpo": likewise; T is max_completion_length
            − (1/N) Σ_i Σ_t l_it                    "sum": with μ = 1 REINFORCE of whole completions

With `ratio` "sequence" (GSPO) every ρ_it of a completion is the geometric mean of its tokens',
exp((1/|y_i|) Σ_t log(π_θ / π_old)): ε is then some 10⁻⁴. RLOO is "sum" with leave_one_out and no
scale. DAPO is "dapo" with `clip_high` 0.28, `mask_truncated` (completions cut at the limit are no
part of any sum over tokens; they stay in the group's mean) and `resample`: groups of equal rewards
are replaced, up to so often, by such of other prompts that differ.

KL_it is Schulman's k3, never negative; times ρ, unlike in the first paper, so that its gradient is
that of KL(π_θ ‖ π_ref). π_ref is the model that training began with: under LoRA the policy with its
adapter switched off, in full fine-tuning a second, frozen copy (neither with β = 0). All
probabilities are at `temperature`.

Some lectures write the objective with π_θ / π_ref for the ratio and KL(π_ref ‖ π_θ) for the price.
Here, as in the papers, the ratio is to π_old, which has drawn the completions: only then is the
mean over them the expectation that is meant, and only then does ε bound one update rather than all
of training. And the KL is from π_θ: of completions that π_θ draws it has an unbiased estimate. With
μ = 1 the first rollout has π_old = π_ref, and the ratios are the same. PPO offers KL(π_ref ‖ π_θ)
over the whole vocabulary (`kl`).

N is batch_size · gradient_accumulation_steps a process, and an optimiser step uses all of them: so
with μ = 1 every ρ is 1, and nothing is clipped. Prompts follow a row of permutations fixed by the
seed, so that none is left out. Groups of equal rewards teach nothing: ten such batches in a row are
told in an event. Reported: reward and its components, KL, entropy, lengths, what is clipped.

In RLOO's paper the KL is paid for in R; here it stays in the loss, as in all the other forms.

Papers: Shao et al. 2024 (arXiv:2402.03300); leave-one-out: Ahmadian et al. 2024 (arXiv:2402.14740);
dapo: Yu et al. 2025 (arXiv:2503.14476); dr_grpo, with "none": Liu et al. 2025 (arXiv:2503.20783);
GSPO: Zheng et al. 2025 (arXiv:2507.18071); ρ in the KL: DeepSeek-AI 2025 (arXiv:2512.02556).
Runs on TRL's GRPOTrainer, with our prompts, rewards and advantages. Left out: another engine to
generate with, tools and images, two-sided clipping, an entropy bonus, rewards that abstain.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from trainers.job.declaration import WITH_PROMPTS, Trainer
from trainers.job.footprint import (
    Footprint,
    a_rollout,
    completion_tokens,
    completions_alone,
)
from trainers.job.options import RewardedOptions, rate
from trainers.job.run import Run

if TYPE_CHECKING:
    from torch import Tensor

Baseline = Literal["mean", "leave_one_out"]
Scale = Literal["group", "batch", "none"]


class GRPOOptions(RewardedOptions):
    """Off values stand beside the defaults. `batch_size` counts completions, not prompts."""

    learning_rate: float | None = rate(full=5e-6, lora=5e-5)
    num_generations: int = Field(8, ge=2, le=1024, description="K, completions of a prompt.")
    top_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Mass of the tokens drawn from; below 1 π_old is not what drew.",
    )
    baseline: Baseline = Field(
        "mean", description="What a reward is compared with: the group's mean, or the others'."
    )
    scale_rewards: Scale = Field(
        "group", description="Deviation that advantages are divided by; none: off."
    )
    kl_coef: float = Field(
        0.04, ge=0, description="β, the price of a nat of KL; 0: off, and no reference is kept."
    )
    clip_epsilon: float = Field(
        0.2, gt=0, lt=1, description="ε, how far ρ counts from 1; matters from iterations = 2 on."
    )
    iterations: int = Field(
        1, ge=1, le=1000, description="μ, optimiser steps over the same completions."
    )
    clip_high: float | None = Field(
        None, gt=0, description="ε′, how far ρ counts above 1; null: ε. DAPO's is 0.28."
    )
    ratio: Literal["token", "sequence"] = Field(
        "token", description="ρ of every token, or a completion's geometric mean (GSPO)."
    )
    loss_type: Literal["grpo", "dapo", "dr_grpo", "sum"] = Field(
        "grpo",
        description="How tokens are averaged: a completion at a time, over all, over N · T, or "
        "over N alone (RLOO).",
    )
    mask_truncated: bool = Field(
        False, description="Learn nothing from completions that were cut at max_completion_length."
    )
    resample: int = Field(
        0, ge=0, le=16, description="Rollouts more, to replace groups of equal rewards; 0: off."
    )

    @model_validator(mode="after")
    def _consistent(self) -> GRPOOptions:
        if self.rollout_size % self.num_generations:
            raise ValueError(
                f"num_generations ({self.num_generations}) must divide batch_size · "
                f"gradient_accumulation_steps = {self.rollout_size}: groups are whole"
            )
        if self.ratio == "sequence" and self.loss_type != "grpo":
            raise ValueError("ratio sequence needs loss_type grpo: a completion has one ρ")
        return self


def advantages(rewards: Tensor, k: int, baseline: Baseline, scale: Scale) -> Tensor:
    """(N,) A of the rewards (N,) of N / K groups, one after the other; K = k."""
    groups = rewards.view(-1, k)  # (N / K, K)
    others = (groups.sum(1, keepdim=True) - groups) / (k - 1)  # (N / K, K)
    gains = groups - (others if baseline == "leave_one_out" else groups.mean(1, keepdim=True))
    if scale == "group":
        gains = gains / (groups.std(1, keepdim=True) + 1e-4)
    elif scale == "batch":
        gains = gains / (rewards.std() + 1e-4)
    return gains.view(-1)


def extent(options: GRPOOptions, records: int, processes: int) -> tuple[int, int]:
    """Of the whole job: optimiser steps, and the prompts that are drawn for them."""
    prompts = options.rollout_size * processes // options.num_generations  # a generation
    generations = math.ceil(options.epochs * records / prompts)
    steps = options.max_steps or generations * options.iterations
    return steps, math.ceil(steps / options.iterations) * prompts


NAMES = {
    "reward": "reward",  # mean of the weighted sum; the components are reward/<name>
    "reward_std": "reward/std",
    "frac_reward_zero_std": "reward/equal_groups",  # share of groups that teach nothing
    "kl": "kl",  # to the reference: nats a completion, by k3
    "entropy": "entropy",  # of π_θ, nats a token
    "clip_ratio/region_mean": "clip_fraction",  # share of tokens where the clip decides
    "completions/mean_length": "completions/length",  # tokens
    "resampled": "resampled",  # rollouts more, for groups of equal rewards
    "completions/ended": "completions/ended",  # share with a stop token
    "num_tokens": "num_tokens",
}


def train(options: GRPOOptions, run: Run) -> None:
    """Raises TrainingError("reward_failed") with the sample where a completion has no reward."""
    build(options, run).train(resume_from_checkpoint=run.resume)


def build(options: GRPOOptions, run: Run) -> Any:
    """The trainer, ready to train."""
    from datasets import Dataset

    from trainers.learning.callbacks import Reporting
    from trainers.learning.groups import GroupTrainer
    from trainers.learning.models import load_start, lora_config
    from trainers.learning.prompts import encoded
    from trainers.learning.rewards import Rewards
    from trainers.learning.rollouts import drawn

    rewards = Rewards.of(options, run)
    model, tokenizer = load_start(run, options)
    prompts = encoded(run, options, model, tokenizer)
    run.prepared(tokenizer, prompts[0][1])
    lora = lora_config(model, options)
    held = reference(options) and lora is None
    steps, count = extent(options, len(prompts), run.spec.processes)
    order = drawn(len(prompts), 0, count, options.seed)
    rows = Dataset.from_dict({"prompt": [str(index) for index in range(len(prompts))]})
    return GroupTrainer(
        model=model,
        reference=load_start(run, options)[0] if held else None,
        rewards=rewards,
        prompts=prompts,
        advantages=lambda values: advantages(
            values, options.num_generations, options.baseline, options.scale_rewards
        ),
        kl_coef=options.kl_coef,
        resample=options.resample,
        epochs=count / len(prompts),
        names=NAMES,
        args=settings(options, run, steps),
        train_dataset=rows.select(order),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[Reporting(run, TRAINER, options, names=NAMES)],
    )


LOSSES = {"sum": "luspo"}  # TRL's name of the sum over a completion's tokens


def settings(options: GRPOOptions, run: Run, steps: int) -> Any:
    """TRL's configuration; the order of prompts, the reference and the KL are ours."""
    from trl.trainer.grpo_config import GRPOConfig

    from trainers.learning.arguments import configured

    return configured(
        GRPOConfig,
        options,
        run,
        max_steps=steps,
        num_train_epochs=1,  # of the order that `build` draws
        num_generations=options.num_generations,
        max_completion_length=options.max_completion_length,
        temperature=options.temperature,
        top_p=options.top_p,
        num_iterations=options.iterations,
        epsilon=options.clip_epsilon,
        epsilon_high=options.clip_high,
        importance_sampling_level=options.ratio,
        mask_truncated_completions=options.mask_truncated,
        loss_type=LOSSES.get(options.loss_type, options.loss_type),
        use_bias_correction_kl=True,
        disable_dropout=True,
        shuffle_dataset=False,
    )


def reference(options: GRPOOptions) -> bool:
    """Without β nobody asks for π_ref."""
    return options.kl_coef > 0


TRAINER = Trainer(
    name="grpo",
    about="Several completions a prompt, rewarded by metrics, each against the others.",
    objective="− (1/N) Σ_i (1/|y_i|) Σ_t [min(ρ_it A_i, clip(ρ_it, 1 − ε, 1 + ε) A_i) − β KL_it]",
    paper="Shao et al. 2024, arXiv:2402.03300",
    options=GRPOOptions,
    kinds=WITH_PROMPTS,
    produces="language",
    train=train,
    previews=True,
    steps=lambda options, records, processes: extent(options, records, processes)[0],
    sequences=(("prompt",),),
    objective_series=("reward",),
    footprint=Footprint(
        reference=reference,
        head=completions_alone,
        written=completion_tokens,
        generated=a_rollout,
    ),
)
