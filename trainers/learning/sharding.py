"""FSDP in a `transformers.Trainer`: weights are sharded, or training is refused.

Guarded against: on a CPU accelerate ignores the setting and silently goes on with whole copies; its
own checkpoints hold the weights a second time, as a pickle; an adapter cannot be read into a model
that has been sharded, and with activation_checkpointing would be saved without a single weight;
dropout would then be drawn again, and gradients be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate.utils import DistributedType, save_fsdp_optimizer
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import CheckpointWrapper
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.distributed.tensor import DTensor, Placement

from trainers.job.errors import TrainingError
from trainers.job.fsdp import CHECKPOINTING, DRAWN_AGAIN, LAYERS

if TYPE_CHECKING:
    from transformers import TrainingArguments

    Arguments = TypeVar("Arguments", bound=TrainingArguments)

IGNORED = "the weights were not sharded: accelerate passed over the setting"


def corrected(configured: Arguments) -> Arguments:
    """Arguments with which a CPU's processes shard, too, and with which outputs are not rounded:
    accelerate shards on GPUs alone, and its bfloat16 leaves two or three digits of a
    log-probability."""
    if not configured.fsdp:
        return configured
    if configured.bf16:
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        configured.fsdp_plugin_args["mixed_precision_policy"] = policy
    if configured.use_cpu:
        configured.distributed_state.distributed_type = DistributedType.MULTI_GPU
    return configured


class Sharding:
    """A mixin, before a `transformers.Trainer`: checkpoints of weights that may be sharded.

    Raises TrainingError where sharding is asked for and impossible.
    """

    is_fsdp_enabled: bool
    accelerator: Any
    args: Any
    model: Any

    def __init__(self, *positional: Any, **named: Any) -> None:
        super().__init__(*positional, **named)
        if not self.args.fsdp:
            return
        if not self.is_fsdp_enabled:
            raise TrainingError("unsupported", IGNORED, "resources.fsdp")
        refused = unfit(self.model, self.args.fsdp_config)
        if refused is not None:
            field, reason = refused
            raise TrainingError("unsupported", reason, field)

    def _prepare_for_training(
        self, max_steps: int, train_dataloader: Any, resume_from_checkpoint: str | None
    ) -> Any:
        """Weights are read before they are sharded, as those of any other run."""
        if self.is_fsdp_enabled and resume_from_checkpoint is not None:
            self.is_fsdp_enabled = False
            self._load_from_checkpoint(resume_from_checkpoint)
            self.is_fsdp_enabled = True
        prepare: Any = super()._prepare_for_training  # type: ignore[misc]
        prepared = prepare(max_steps, train_dataloader, resume_from_checkpoint)
        if self.is_fsdp_enabled and not all(map(_in_parts, self.model.parameters())):
            raise TrainingError("unsupported", IGNORED, "resources.fsdp")
        return prepared

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not self.is_fsdp_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Tied weights once: what has been gathered is not tied any more. Of an adapter, peft finds
        nothing in layers that are wrapped."""
        if self.is_fsdp_enabled and state_dict:
            for name, source in (getattr(self.model, "all_tied_weights_keys", None) or {}).items():
                if source in state_dict:
                    state_dict.pop(name, None)
        with _bare(self.model):
            super()._save(output_dir, state_dict)  # type: ignore[misc]

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """Sharded: gathered from all, written by the first; the weights are saved elsewhere."""
        if not self.is_fsdp_enabled:
            super()._save_optimizer_and_scheduler(output_dir)  # type: ignore[misc]
            return
        optimizer, scheduler = self.optimizer, self.lr_scheduler  # type: ignore[attr-defined]
        plugin = self.accelerator.state.fsdp_plugin
        save_fsdp_optimizer(plugin, self.accelerator, optimizer, self.model, output_dir)
        if self.args.should_save:
            torch.save(scheduler.state_dict(), Path(output_dir) / "scheduler.pt")


def unfit(model: Any, config: Mapping[str, Any]) -> tuple[str, str] | None:
    """The field and the reason, where this model cannot be sharded so; `config`: accelerate's."""
    classes = {type(module).__name__ for module in model.modules()}
    layers = config.get(LAYERS) or getattr(model, "_no_split_modules", None)
    if not layers or not set(layers) <= classes:
        lack = f"no layers of class {', '.join(layers)}" if layers else "no word of its layers"
        reason = f"the model has {lack}; it is made of {', '.join(sorted(classes))}"
        return f"resources.fsdp.{LAYERS}", reason
    if config["activation_checkpointing"] and _drops_out(model):
        return CHECKPOINTING, f"the model has dropout: {DRAWN_AGAIN}"
    return None


def _drops_out(model: Any) -> bool:
    """Whether any dropout is on: as a layer, or as a number that attention reads."""
    return any(
        (isinstance(module, torch.nn.Dropout) and module.p > 0)
        or any("dropout" in name and value for name, value in _numbers(module))
        for module in model.modules()
    )


def _numbers(module: Any) -> list[tuple[str, float]]:
    return [(name, value) for name, value in vars(module).items() if isinstance(value, float)]


@contextmanager
def _bare(model: Any) -> Iterator[None]:
    """The model without the wrappers of layers that are computed again."""
    modules = dict(model.named_modules())
    wrappers = {
        name: module for name, module in modules.items() if isinstance(module, CheckpointWrapper)
    }
    for name, wrapper in wrappers.items():
        model.set_submodule(name, wrapper._checkpoint_wrapped_module)
    try:
        yield
    finally:
        for name, wrapper in wrappers.items():
            model.set_submodule(name, wrapper)


def _in_parts(parameter: Any) -> bool:
    return isinstance(parameter, DTensor) and any(map(Placement.is_shard, parameter.placements))
