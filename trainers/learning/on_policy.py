"""Training on what the policy itself has just written: collect a rollout, learn from it, repeat.

A rollout is `minibatches` * gradient_accumulation_steps * batch_size sequences a process. It is
learned from in `passes` passes, each in a new order, each of `minibatches` optimiser steps. So

    step = one optimiser step;  rollout number = step // (passes * minibatches)

Nothing depends on what a generator happened to be at: prompts, draws and orders are functions of
(seed, rollout, rank). The rollout in use is part of the checkpoint, which may fall between two of
its passes. So a resumed run repeats the uninterrupted one, to the bit on a CPU.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainers.job.errors import TrainingError
from trainers.learning.actor_critic import ActorCritic
from trainers.learning.rollouts import Completions, take

STATE = "on_policy"  # folder within a checkpoint: what is needed to go on, not to use the policy

Total = Callable[[Tensor], Tensor]  # a sum over the processes


class Method(Protocol):
    """What is done with rollouts."""

    def collect(self, number: int, total: Total) -> tuple[Completions, dict[str, float]]:
        """A rollout by the policy as it is, and what it shows."""
        ...

    def loss(self, model: nn.Module, batch: Completions) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a micro-batch and what it shows: all of them sums over tokens, divided by
        `batch["tokens"]`, so that the mean over micro-batches and processes is the mean over the
        step's tokens."""
        ...

    def state(self) -> dict[str, float]: ...

    def load(self, state: dict[str, float]) -> None: ...


class OnPolicyTrainer(transformers.Trainer):
    """`transformers.Trainer` whose batches come from rollouts; everything else is as there.

    Raises TrainingError for FSDP and DeepSpeed.
    """

    model: ActorCritic

    def __init__(
        self,
        model: ActorCritic,
        method: Method,
        *,
        passes: int,
        minibatches: int,
        rollouts_per_epoch: int,
        tokenizer: Any,
        **settings: Any,
    ) -> None:
        super().__init__(model=model, **settings)
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            message = (
                "weights cannot be sharded here: several processes each hold all of them (DDP)"
            )
            raise TrainingError("unsupported", message)
        self.tokenizer = tokenizer
        self.method = method
        self.minibatches = minibatches
        self.steps_per_rollout = passes * minibatches
        self.rollouts_per_epoch = rollouts_per_epoch
        self._number, self._rollout = -1, Completions()
        self._tokens = 0  # learned from, prompts included, by all processes
        self._seen: dict[str, list[float]] = defaultdict(list)

    def get_train_dataloader(self) -> Any:
        """Only counts: micro-batches of an epoch over the prompts."""
        steps = self.rollouts_per_epoch * self.steps_per_rollout
        count = steps * self.args.gradient_accumulation_steps
        own = torch.Generator()  # a loader without one draws from everybody's
        return torch.utils.data.DataLoader(range(count), batch_size=1, generator=own)  # type: ignore[arg-type]

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Completions], None]:
        """The micro-batches of the next optimiser step, after a new rollout where it is time."""
        for _ in range(num_batches):
            next(epoch_iterator)
        number, within = divmod(self.state.global_step, self.steps_per_rollout)
        if number != self._number:
            with self.accelerator.autocast():
                self._rollout, shown = self.method.collect(number, self._total)
            self._number = number
            self._see(shown)
        lap, part = divmod(within, self.minibatches)
        size = len(self._rollout["mask"])
        order = np.random.default_rng([self.args.seed, number, lap]).permutation(size)
        rows = np.array_split(np.array_split(order, self.minibatches)[part], num_batches)
        batches = [take(self._rollout, torch.as_tensor(some, device=device)) for some in rows]
        tokens = self._total(sum(batch["mask"].sum() for batch in batches))
        for batch in batches:
            batch["tokens"] = tokens / (num_batches * self.args.world_size)
        self._tokens += int(tokens + self._total(sum(batch["prompts"].sum() for batch in batches)))
        return batches, None

    def compute_loss(
        self, model: nn.Module, inputs: Completions, *_: Any, num_items_in_batch: Any = None
    ) -> Tensor:
        loss, shown = self.method.loss(model, inputs)
        self._see({name: float(value) for name, value in shown.items()})
        return loss

    def _clip_grad_norm(self, model: nn.Module) -> Tensor:
        """Policy and value model are clipped apart: a large error of the values must not shrink
        the policy's step. Returns the policy's norm."""
        norms = {}
        for name, of_policy in (("policy", True), ("value", False)):
            own = [
                parameter
                for key, parameter in self.model.named_parameters()
                if key.startswith("policy.") is of_policy
            ]
            norms[name] = self.accelerator.clip_grad_norm_(own, self.args.max_grad_norm)
        self._see({"grad_norm/value": float(norms["value"])})
        policy: Tensor = norms["policy"]
        return policy

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the means of what was seen since the last time, over the processes too."""
        names = sorted(self._seen)
        means = torch.tensor([np.mean(self._seen[name]) for name in names], dtype=torch.float64).to(
            self.args.device, torch.float32 if self.args.device.type == "mps" else None
        )
        if names:
            means = self._total(means) / self.args.world_size
        self._seen.clear()
        shown = dict(zip(names, means.tolist(), strict=True))
        super().log(logs | shown | {"num_tokens": self._tokens}, start_time)

    def _see(self, shown: dict[str, float]) -> None:
        for name, value in shown.items():
            self._seen[name].append(value)

    def _total(self, values: Any) -> Tensor:
        several = self.args.world_size > 1
        found: Tensor = self.accelerator.reduce(values, "sum") if several else values
        return found

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """The policy, as a checkpoint of the policy alone; in a folder beside it, what only a
        resumed run needs: the value model, the rollout in use, the method's state."""
        folder = Path(str(output_dir))
        (folder / STATE).mkdir(parents=True, exist_ok=True)
        if self._rollout:
            whole = {name: values.contiguous() for name, values in self._rollout.items()}
            meta = {"number": str(self._number)}
            save_file(whole, folder / STATE / self._rollout_file, meta)
        if self.args.should_save:
            self.model.policy.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
            save_file(self.model.critic(), folder / STATE / "value.safetensors")
            state = {"number": self._number, "tokens": self._tokens, "method": self.method.state()}
            (folder / STATE / "state.json").write_text(json.dumps(state))
        self.accelerator.wait_for_everyone()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, self.model.policy)
        folder = Path(resume_from_checkpoint) / STATE
        critic = load_file(folder / "value.safetensors")
        wanted = set(self.model.critic())
        if set(critic) != wanted:
            odd = sorted(wanted ^ set(critic))[:3]
            raise ValueError(f"the checkpoint's value model is another one: {', '.join(odd)}")
        self.model.load_state_dict(critic, strict=False)
        state = json.loads((folder / "state.json").read_text())
        self._number, self._tokens = int(state["number"]), int(state["tokens"])
        self.method.load(state["method"])
        rollout = load_file(folder / self._rollout_file)
        self._rollout = {name: values.to(self.args.device) for name, values in rollout.items()}

    @property
    def _rollout_file(self) -> str:
        return f"rollout-{self.args.process_index}-of-{self.args.world_size}.safetensors"


def moments(values: Tensor, mask: Tensor, total: Total) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance where the mask is true, over all processes."""
    count = total(mask.sum())
    mean = total((values * mask).sum()) / count
    return mean, total(((values - mean) ** 2 * mask).sum()) / count
