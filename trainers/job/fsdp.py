"""FSDP: each process holds a part of the weights, of their gradients, of the optimiser's state.

A layer's weights are gathered when its turn comes, and let go again (Zhao et al. 2023,
arXiv:2304.11277; here PyTorch's second version, `fully_shard`, through accelerate). What is
minimised and what a checkpoint holds stay the same: the whole state is gathered from all processes
and written by the first, weights as safetensors. With dtype bfloat16 weights travel in bfloat16;
gradients are averaged, and log-probabilities leave the model, in float32.

What may be asked for, and what is refused; `trainers.learning.sharding` does the work.
Left out: weights and optimiser in the host's memory (`cpu_offload`), shards across machines.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from trainers.job.declaration import AnyTrainer
from trainers.job.options import Options

LAYERS = "transformer_layer_cls_to_wrap"
CHECKPOINTING = "resources.fsdp.activation_checkpointing"
DRAWN_AGAIN = "a layer that is computed again draws another dropout, and gradients would be wrong"


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
    if options.gradient_checkpointing:
        own = f"sharded layers have a setting of their own: {CHECKPOINTING}"
        return "options.gradient_checkpointing", own
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
