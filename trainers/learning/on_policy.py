"""Training on what the policy itself has just written, driven by `transformers.Trainer`.

The method says what an optimiser step learns from (`steps`) and what it makes smaller (`loss`);
here are the step itself, logs, checkpoints and how a run is resumed. Nothing depends on the state
of a generator: prompts, draws and orders are functions of (seed, rollout, rank). The rollout in use
is part of the checkpoint, which may fall between two passes over it. So a resumed run repeats the
uninterrupted one, to the bit on a CPU.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainers.job.checkpoints import ROLLOUT
from trainers.job.errors import TrainingError
from trainers.learning.actor_critic import ActorCritic
from trainers.learning.processes import total
from trainers.learning.rollouts import Completions
from trainers.learning.statistics import Series


class Method(Protocol):
    """A method that learns from rollouts.

    rollout  the one in use, `number` from 0; -1 before the first
    kl_coef  β as it is now
    series   values to be reported with the next step
    """

    rollout: Completions
    number: int
    kl_coef: float
    series: Series

    def steps(self, first: int) -> Iterator[list[Completions]]:
        """The micro-batches of every optimiser step, from rollout `first` on."""
        ...

    def loss(self, model: nn.Module, batch: Completions) -> Tensor:
        """Of a micro-batch: a sum over its tokens, divided by `batch["tokens"]`."""
        ...


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
        steps_per_rollout: int,
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
        self.steps_per_rollout = steps_per_rollout
        self.rollouts_per_epoch = rollouts_per_epoch
        self._steps: Iterator[list[Completions]] | None = None
        self._tokens = 0  # learned from, prompts included, by all processes

    def get_train_dataloader(self) -> Any:
        """Only counts: micro-batches of an epoch over the prompts."""
        steps = self.rollouts_per_epoch * self.steps_per_rollout
        count = steps * self.args.gradient_accumulation_steps
        own = torch.Generator()  # a loader without one draws from everybody's
        return torch.utils.data.DataLoader(range(count), batch_size=1, generator=own)  # type: ignore[arg-type]

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Completions], None]:
        """The micro-batches of the next optimiser step."""
        for _ in range(num_batches):
            next(epoch_iterator)
        if self._steps is None:
            number, done = divmod(self.state.global_step, self.steps_per_rollout)
            self._steps = islice(self.method.steps(number), done, None)
        with self.accelerator.autocast():
            batches = next(self._steps)
        sizes = [batch["mask"].sum() + batch["prompts"].sum() for batch in batches]
        self._tokens += int(total(torch.stack(sizes).sum()))
        return batches, None

    def compute_loss(
        self, model: nn.Module, inputs: Completions, *_: Any, num_items_in_batch: Any = None
    ) -> Tensor:
        """The method's, divided by the whole step's tokens already."""
        return self.method.loss(model, inputs)

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
        self.method.series.add({"grad_norm/value": norms["value"]})
        policy: Tensor = norms["policy"]
        return policy

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the method's series."""
        series = self.method.series.means(self.args.device)
        super().log(logs | series | {"num_tokens": self._tokens}, start_time)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """The policy, as a checkpoint of the policy alone; in a folder beside it, what only a
        resumed run needs: the value model, the rollout in use, the method's state."""
        folder = Path(str(output_dir))
        (folder / ROLLOUT).mkdir(parents=True, exist_ok=True)
        if self.method.rollout:
            whole = {name: values.contiguous() for name, values in self.method.rollout.items()}
            meta = {"number": str(self.method.number)}
            save_file(whole, folder / ROLLOUT / self._rollout_file, meta)
        if self.args.should_save:
            self.model.policy.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
            save_file(self.model.critic(), folder / ROLLOUT / "value.safetensors")
            state = {
                "number": self.method.number,
                "tokens": self._tokens,
                "method": {"kl_coef": self.method.kl_coef},
            }
            (folder / ROLLOUT / "state.json").write_text(json.dumps(state))
        self.accelerator.wait_for_everyone()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, self.model.policy)
        folder = Path(resume_from_checkpoint) / ROLLOUT
        critic = load_file(folder / "value.safetensors")
        names = set(self.model.critic())
        if set(critic) != names:
            odd = sorted(names ^ set(critic))[:3]
            raise ValueError(f"the checkpoint's value model is another one: {', '.join(odd)}")
        self.model.load_state_dict(critic, strict=False)
        state = json.loads((folder / "state.json").read_text())
        self.method.number, self._tokens = int(state["number"]), int(state["tokens"])
        self.method.kl_coef = float(state["method"]["kl_coef"])
        rollout = load_file(folder / self._rollout_file)
        self.method.rollout = {
            name: values.to(self.args.device) for name, values in rollout.items()
        }

    @property
    def _rollout_file(self) -> str:
        return f"rollout-{self.args.process_index}-of-{self.args.world_size}.safetensors"
