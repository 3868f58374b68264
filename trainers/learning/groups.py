"""TRL's GRPOTrainer with our prompts, rewards, advantages and reference.

TRL's own renders prompts and never cuts them, takes a reward that is not a number for an
abstention, has no baseline but the group's mean, loads the reference again from wherever the
model's configuration says it came from, and draws other completions when it resumes between two
steps over the same ones.

Imports trl: import this module inside `train`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from trl.models.utils import prepare_fsdp
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head, disable_dropout_in_model

from trainers.job.checkpoints import GENERATION
from trainers.learning.rewards import Record, Rewards
from trainers.learning.sharding import Sharding


class GroupTrainer(Sharding, GRPOTrainer):
    """The dataset's `prompt` is an index into `prompts`, as text.

    reference   a frozen copy of the starting model; None under LoRA, or with kl_coef 0
    prompts     records with their prompts' token ids
    advantages  (N,) rewards of whole groups, one after the other, to (N,) advantages
    resample    rollouts more at most, to replace groups of equal rewards
    epochs      how often the whole of the steps goes through the prompts
    names       of the values to log
    """

    args: Any
    ref_model: Any
    num_generations: Any
    processing_class: Any
    _buffered_inputs: Any  # completions in use: a batch of tensors for each micro-batch

    def __init__(
        self,
        *,
        reference: Any,
        rewards: Rewards,
        prompts: Sequence[tuple[Record, list[int]]],
        advantages: Callable[[Tensor], Tensor],
        kl_coef: float,
        resample: int,
        epochs: float,
        names: Mapping[str, str],
        **settings: Any,
    ) -> None:
        self._rewards = rewards
        self._prompts = prompts
        self._advantages = advantages
        self._resample = resample
        self._epochs = epochs
        self._names = names
        self._started = False
        self._length = 0.0  # of completions, mean of the last generation
        earn: Any = self._earn
        super().__init__(reward_funcs=[earn], **settings)
        self._hold(reference, kl_coef)

    def _hold(self, reference: Any, kl_coef: float) -> None:
        """Sets β and the reference: TRL got β = 0, so that it loads no reference of its own."""
        self.beta = kl_coef
        if reference is None:
            return
        disable_dropout_in_model(reference)
        add_fused_lm_head(reference, temperature=self.temperature)
        if self.is_fsdp_enabled:
            self.ref_model = prepare_fsdp(reference, self.accelerator)
        else:
            self.ref_model = self.accelerator.prepare_model(reference, evaluation_mode=True)

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self._prompts[int(index)][1] for index in prompts], None, {}

    def _earn(
        self,
        prompts: list[str],
        completions: list[str],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float]:
        records = [self._prompts[int(index)][0] for index in prompts]
        earned = self._rewards(records, completions, self.state.global_step)
        for name, mean in earned.series.items():
            log_metric(name, mean)
        return [float(total) for total in earned.total]

    def _calculate_rewards(self, *arguments: Any) -> Tensor:
        earned: Tensor = super()._calculate_rewards(*arguments)  # (N of all processes, 1)
        self._earned = earned[:, 0]
        return earned

    def _generate_and_score_completions(self, inputs: list[Any]) -> dict[str, Any]:
        score: Any = super()._generate_and_score_completions
        output: dict[str, Any] = score(inputs)
        earned, number = self._earned, 0  # of all processes: all of them go on, or none
        while number < self._resample and bool(equal_groups(earned, self.num_generations).any()):
            number += 1
            others = self._others(len(inputs), number)
            fresh = score(others)
            output, earned = self._filled(output, earned, fresh, self._earned)
        if self._resample:
            self._metrics["train"]["resampled"].append(number)
            kept = output["completion_mask"].sum()
            output["num_items_in_batch"] = self.accelerator.gather(kept).sum()
        first = self.accelerator.process_index * len(inputs)
        output["advantages"] = self._advantages(earned)[first : first + len(inputs)]
        return output

    def _others(self, size: int, number: int) -> list[dict[str, str]]:
        """Rows of `size` completions of other prompts, for this process and step."""
        seed = [self.args.seed, self.state.global_step, number, self.accelerator.process_index]
        draws = np.random.default_rng(seed)
        count = size // self.num_generations
        prompts = draws.choice(len(self._prompts), count, replace=count > len(self._prompts))
        return [{"prompt": str(at)} for at in prompts.repeat(self.num_generations).tolist()]

    def _filled(
        self, old: dict[str, Any], earned: Tensor, fresh: dict[str, Any], instead: Tensor
    ) -> tuple[dict[str, Any], Tensor]:
        """The rollout with groups of equal rewards replaced by groups of `fresh` that differ, each
        in its own process; and the rewards of all processes."""
        size, k = len(old["completion_ids"]), self.num_generations
        rows = torch.arange(len(earned), device=earned.device)  # of old, and beyond them of fresh
        for first in range(0, len(earned), size):  # a process
            part = slice(first // k, (first + size) // k)
            lacking = equal_groups(earned, k)[part].nonzero()[:, 0]
            there = (~equal_groups(instead, k)[part]).nonzero()[:, 0]
            for group, other in zip(lacking.tolist(), there.tolist(), strict=False):
                at = first + k * group
                start = len(earned) + first + k * other
                rows[at : at + k] = torch.arange(start, start + k, device=rows.device)
        first = self.accelerator.process_index * size
        own = rows[first : first + size] - first
        own = torch.where(own >= size, own - len(earned) + size, own)
        return merged(old, fresh, own, self.processing_class.pad_token_id), torch.cat(
            [earned, instead]
        )[rows]

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        if not self._started:  # a resumed run is where the uninterrupted one was
            self._started = True
            self._step = self.state.global_step * self.args.gradient_accumulation_steps
        return super()._prepare_inputs(generation_batch)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Checkpoints have a card of ours."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        save: Any = super()._save_checkpoint
        save(model, trial)
        if self._step % (self.num_iterations * self.args.steps_per_generation):
            folder = (
                Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}" / GENERATION
            )
            folder.mkdir(parents=True, exist_ok=True)
            whole = {
                f"{index}/{name}": values.contiguous().clone()
                for index, batch in enumerate(self._buffered_inputs)
                for name, values in batch.items()
            }
            save_file(whole, folder / self._file)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        path = Path(resume_from_checkpoint) / GENERATION / self._file
        if path.exists():
            batches: list[dict[str, Tensor]] = [{} for _ in range(self.args.steps_per_generation)]
            for key, values in load_file(path).items():
                index, _, name = key.partition("/")
                batches[int(index)][name] = values.to(self.args.device)
            self._buffered_inputs = batches

    @property
    def _file(self) -> str:
        return f"{self.args.process_index}-of-{self.args.world_size}.safetensors"

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Logs what is named alone; the KL of whole completions; the share with a stop token."""
        values = self._metrics["train"]
        self._length = fmean(values.get("completions/mean_length") or [self._length])
        if "kl" in values:
            values["kl"] = [kl * self._length for kl in values["kl"]]
        if "completions/clipped_ratio" in values:
            values["completions/ended"] = [1 - cut for cut in values["completions/clipped_ratio"]]
        for name in list(values):
            if name not in self._names and not name.startswith(("reward/", "usage/")):
                del values[name]
        self.state.epoch = self._epochs * self.state.global_step / self.state.max_steps
        super().log(logs, start_time)


def equal_groups(rewards: Tensor, k: int) -> Tensor:
    """(N / k,) whether the rewards (N,) of a group are all the same: nothing to learn from."""
    groups = rewards.view(-1, k)
    return (groups.max(1).values - groups.min(1).values) < 1e-12


def merged(old: dict[str, Any], fresh: dict[str, Any], rows: Tensor, pad: int) -> dict[str, Any]:
    """Rows (N,) of two rollouts, one behind the other: prompts are padded on the left, completions
    on the right."""
    both = dict(old)
    for name, one in old.items():
        if not isinstance(one, Tensor) or one.ndim == 0:
            continue
        other, value = fresh[name], pad if name.endswith("_ids") else 0
        width = max(one.shape[-1], other.shape[-1])
        parts = []
        for part in (one, other) if one.ndim == 2 else ():
            short = width - part.shape[1]
            sides = (short, 0) if name.startswith("prompt") else (0, short)
            parts.append(torch.nn.functional.pad(part, sides, value=value))
        both[name] = torch.cat(parts or [one, other])[rows]
    return both
