"""What a trainer is: one frozen declaration, from which catalogue, validation and docs derive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from trainers.job.run import Run

Kind = Literal["sft", "preference", "prompts"]
Produces = Literal["language", "classifier"]


class Lora(BaseModel):
    """Low-rank adapters (Hu et al., 2021): W + (alpha / r) · B A, with W frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    r: int = Field(default=16, ge=1, le=1024)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] | Literal["all-linear"] = "all-linear"


class Options(BaseModel):
    """What all trainers share. A job runs `max_steps` optimiser steps, or `epochs` without them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_steps: int | None = Field(default=None, ge=1, le=10_000_000)
    epochs: float = Field(default=1.0, gt=0, le=1000)
    save_steps: int = Field(
        default=100, ge=1
    )  # steps between checkpoints; the last step is always saved
    learning_rate: float = Field(default=1e-5, gt=0, le=1)
    warmup_steps: int = Field(default=0, ge=0)
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=8, ge=1)  # samples a step and device
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    max_length: int = Field(default=1024, ge=8)  # tokens of prompt and answer together
    truncate: bool = False  # cut longer rows; False: a longer row is an error
    chat: bool | None = None  # prompts as the user's turn; None: where there is a chat template
    dtype: Literal["float32", "bfloat16"] = "float32"
    lora: bool | Lora = False
    seed: int = Field(default=0, ge=0, lt=2**31)

    @property
    def adapter(self) -> Lora | None:
        """The adapter's settings; None for full fine-tuning."""
        if isinstance(self.lora, Lora):
            return self.lora
        return Lora() if self.lora else None


class Reward(BaseModel):
    """A metric's per-sample value as a reward; several are summed by weight."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    name: str | None = None  # of the score; default: the metric's first
    params: Mapping[str, Any] = Field(default_factory=dict)
    weight: float = 1.0


O = TypeVar("O", bound=Options)  # noqa: E741 (options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer(Generic[O]):
    """A method, declared.

    train   runs to the end, or until `run.stopping`; reports through `run` and nothing else
    shards  whether several processes may share the weights out among them (FSDP)
    """

    name: str
    about: str  # one sentence
    objective: str  # what is minimised, as a formula
    paper: str
    options: type[O]
    kind: Kind  # of dataset
    produces: Produces
    train: Callable[[O, Run], None]
    shards: bool = True


AnyTrainer = Trainer[Any]
