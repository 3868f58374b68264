"""FSDP: each process holds a part of the weights, of their gradients, of the optimiser's state.

A layer's weights are gathered when its turn comes, and let go again (Zhao et al. 2023,
arXiv:2304.11277; here PyTorch's second version, `fully_shard`, through accelerate). What is
minimised and what a checkpoint holds stay the same: the whole state is gathered from all processes
and written by the first, weights as safetensors. With dtype bfloat16 weights travel in bfloat16;
gradients are averaged, and log-probabilities leave the model, in float32.

Guarded against: on a CPU accelerate passes over the setting and goes on with whole copies, without
a word; its own checkpoints hold the weights a second time, as a pickle; an adapter cannot be read
into a model that has been sharded, and with activation_checkpointing would be saved without a
single weight; dropout would then be drawn anew, and gradients be wrong.

Left out: weights and optimiser in the host's memory (`cpu_offload`), shards across machines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from trainers.job.declaration import AnyTrainer, Options

if TYPE_CHECKING:
    from transformers import TrainingArguments

    Arguments = TypeVar("Arguments", bound=TrainingArguments)

LAYERS = "transformer_layer_cls_to_wrap"
CHECKPOINTING = "resources.fsdp.activation_checkpointing"
DRAWN_AGAIN = "a layer that is computed again draws another dropout, and gradients would be wrong"
PASSED_OVER = "the weights were not sharded: accelerate passed over the setting"


class Fsdp(BaseModel):
    """How weights are shared out among a job's processes; the names are accelerate's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reshard_after_forward: bool = Field(
        default=True,
        description="Let a layer's weights go after the forward pass and gather them again for the "
        "backward pass; false: more memory, less traffic.",
    )
    activation_checkpointing: bool = Field(
        default=False,
        description="Keep a layer's input only, and compute the layer again in the backward pass.",
    )
    transformer_layer_cls_to_wrap: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Classes of the layers that are gathered one at a time; null: as the model's "
        "own class says.",
    )


def refusal(
    trainer: AnyTrainer, options: Options, processes: int, fsdp: Fsdp | None
) -> tuple[str, str] | None:
    """The field and the reason, where weights cannot be sharded so; None where they can, or need
    not."""
    if fsdp is None:
        return None
    field = "resources.fsdp"
    if not trainer.shards:
        able = (
            "with resources.processes alone each process holds all weights; lora has less to hold"
        )
        return field, f"{trainer.name} cannot shard its weights (FSDP): leave fsdp out; {able}"
    if processes == 1:
        alone = "one process has nobody to share weights with"
        return field, f"{alone}: set resources.processes to 2 or more, or leave fsdp out"
    if fsdp.activation_checkpointing and options.adapter and options.adapter.dropout:
        return CHECKPOINTING, f"{DRAWN_AGAIN}: set options.lora.dropout to 0, or leave this out"
    return None


def arguments(fsdp: Fsdp | None) -> dict[str, Any]:
    """Keyword arguments of `TrainingArguments`."""
    if fsdp is None:
        return {}
    layers = fsdp.transformer_layer_cls_to_wrap
    config = {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "state_dict_type": "FULL_STATE_DICT",
        "reshard_after_forward": fsdp.reshard_after_forward,
        "activation_checkpointing": fsdp.activation_checkpointing,
    }
    return {"fsdp": True, "fsdp_config": config | ({LAYERS: list(layers)} if layers else {})}


def corrected(configured: Arguments) -> Arguments:
    """accelerate shards where it believes several GPUs to be: a CPU's processes do it as well. And
    its bfloat16 rounds what comes out: log-probabilities to two or three digits."""
    if not configured.fsdp:
        return configured
    import torch
    from accelerate.utils import DistributedType
    from torch.distributed.fsdp import MixedPrecisionPolicy

    if configured.bf16:
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        configured.fsdp_plugin_args["mixed_precision_policy"] = policy
    if configured.use_cpu:
        configured.distributed_state.distributed_type = DistributedType.MULTI_GPU
    return configured


class Sharding:
    """Before a `transformers.Trainer` among the bases: checkpoints of what may be sharded.

    Raises TrainingError where sharding was asked for and cannot be had.
    """

    is_fsdp_enabled: bool
    accelerator: Any
    args: Any
    model: Any

    def __init__(self, *positional: Any, **named: Any) -> None:
        from trainers.job.run import TrainingError

        super().__init__(*positional, **named)
        if not self.args.fsdp:
            return
        if not self.is_fsdp_enabled:
            raise TrainingError("unsupported", PASSED_OVER, "resources.fsdp")
        unable = unfit(self.model, self.args.fsdp_config)
        if unable is not None:
            field, reason = unable
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
            from trainers.job.run import TrainingError

            raise TrainingError("unsupported", PASSED_OVER, "resources.fsdp")
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
        import torch
        from accelerate.utils import save_fsdp_optimizer

        optimizer, scheduler = self.optimizer, self.lr_scheduler  # type: ignore[attr-defined]
        plugin = self.accelerator.state.fsdp_plugin
        save_fsdp_optimizer(plugin, self.accelerator, optimizer, self.model, output_dir)
        if self.args.should_save:
            torch.save(scheduler.state_dict(), Path(output_dir) / "scheduler.pt")


def unfit(model: Any, config: Mapping[str, Any]) -> tuple[str, str] | None:
    """The field and the reason, where this model cannot be sharded so; `config`: accelerate's."""
    known = {type(module).__name__ for module in model.modules()}
    asked = config.get(LAYERS) or getattr(model, "_no_split_modules", None)
    if not asked or not set(asked) <= known:
        what = f"no layers of class {', '.join(asked)}" if asked else "no word of its layers"
        reason = f"the model has {what}; it is made of {', '.join(sorted(known))}"
        return f"resources.fsdp.{LAYERS}", reason
    if config["activation_checkpointing"] and _drops_out(model):
        return CHECKPOINTING, f"the model has dropout: {DRAWN_AGAIN}"
    return None


def _drops_out(model: Any) -> bool:
    """As layers, or as numbers that attention reads."""
    from torch.nn import Dropout

    return any(
        (isinstance(module, Dropout) and module.p > 0)
        or any("dropout" in name and value for name, value in _numbers(module))
        for module in model.modules()
    )


def _numbers(module: Any) -> list[tuple[str, float]]:
    return [(name, value) for name, value in vars(module).items() if isinstance(value, float)]


@contextmanager
def _bare(model: Any) -> Iterator[None]:
    """The model without the wrappers of layers that are computed again."""
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import CheckpointWrapper

    modules = dict(model.named_modules())
    wrappers = {name: one for name, one in modules.items() if isinstance(one, CheckpointWrapper)}
    for name, wrapper in wrappers.items():
        model.set_submodule(name, wrapper._checkpoint_wrapped_module)
    try:
        yield
    finally:
        for name, wrapper in wrappers.items():
            model.set_submodule(name, wrapper)


def _in_parts(parameter: Any) -> bool:
    from torch.distributed.tensor import DTensor

    return isinstance(parameter, DTensor) and any(one.is_shard() for one in parameter.placements)
