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
    epochs      how often the whole of the steps goes through the prompts
    names       of the values to log
    """

    args: Any
    ref_model: Any
    _buffered_inputs: Any  # completions in use: a batch of tensors for each micro-batch

    def __init__(
        self,
        *,
        reference: Any,
        rewards: Rewards,
        prompts: Sequence[tuple[Record, list[int]]],
        advantages: Callable[[Tensor], Tensor],
        kl_coef: float,
        epochs: float,
        names: Mapping[str, str],
        **settings: Any,
    ) -> None:
        self._rewards = rewards
        self._prompts = prompts
        self._advantages = advantages
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
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        first = self.accelerator.process_index * len(inputs)
        output["advantages"] = self._advantages(self._earned)[first : first + len(inputs)]
        return output

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
            if name not in self._names and not name.startswith("reward/"):
                del values[name]
        self.state.epoch = self._epochs * self.state.global_step / self.state.max_steps
        super().log(logs, start_time)
