"""Options that trainers share. Meanings and units stand in the JSON Schema, for users to read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from inference.templates import Value, Variable

RATES = "defaults"  # in a learning rate's JSON Schema


class Lora(BaseModel):
    """Low-rank adapters (Hu et al., 2021): W + (alpha / r) · B A, with W frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    r: int = Field(default=16, ge=1, le=1024, description="Rank of B A.")
    alpha: int = Field(default=32, ge=1, le=1_000_000, description="B A is scaled by alpha / r.")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Dropout probability on the adapters' input; 0: off."
    )
    target_modules: tuple[str, ...] | Literal["all-linear"] = Field(
        default="all-linear",
        description="Names of the adapted layers inside their parents (q_proj, v_proj); "
        "all-linear: every linear layer below the head.",
    )


def _of_its_type(value: Any, read: ValidatorFunctionWrapHandler) -> bool | Lora:
    """Settings are read as settings alone, so that what is wrong with them is told of them."""
    if isinstance(value, Mapping):
        return Lora.model_validate(value)
    try:
        found: bool | Lora = read(value)
    except ValidationError:
        message = 'Input should be true, false, or settings as {"r": 8}'
        raise PydanticCustomError("lora_type", message) from None
    return found


def rate(full: float, lora: float) -> Any:
    """The field of a learning rate whose default depends on what is trained: all weights, or
    adapters, which are few and begin at nothing."""
    return Field(
        default=None,
        gt=0,
        le=1,
        description=f"Peak learning rate of AdamW; null: {full:g}, with LoRA {lora:g}.",
        json_schema_extra={RATES: {"full": full, "lora": lora}},
    )


class Options(BaseModel):
    """What all trainers share. A job runs `max_steps` optimiser steps, or `epochs` without them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_steps: int | None = Field(
        default=None,
        ge=1,
        le=10_000_000,
        description="Optimiser steps of the whole job; null: as many as `epochs` make.",
    )
    epochs: float = Field(
        default=1.0, gt=0, le=1000, description="Passes over the dataset, without `max_steps`."
    )
    save_steps: int = Field(
        default=100,
        ge=1,
        le=10_000_000,
        description="Optimiser steps between checkpoints; the last step is always saved.",
    )
    learning_rate: float | None = rate(full=2e-5, lora=2e-4)  # never null once it is validated
    warmup_steps: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="Optimiser steps in which the learning rate rises from 0.",
    )
    schedule: Literal["constant", "linear", "cosine"] = Field(
        default="linear",
        description="How the learning rate falls after the warm-up; linear and cosine end at 0.",
    )
    weight_decay: float = Field(default=0.0, ge=0, description="Decoupled decay, as in AdamW.")
    max_grad_norm: float = Field(
        default=1.0, gt=0, description="Gradients are scaled down to this 2-norm."
    )
    batch_size: int = Field(
        default=8,
        ge=1,
        le=1_000_000,
        description="Samples in one forward and backward pass of a process.",
    )
    gradient_accumulation_steps: int = Field(
        default=1, ge=1, le=1_000_000, description="Passes that an optimiser step sums up."
    )
    max_length: int = Field(
        default=1024, ge=8, le=10_000_000, description="Tokens of prompt and answer together."
    )
    truncate: bool = Field(
        default=False, description="Cut rows beyond max_length; false: a longer row is an error."
    )
    chat: bool | None = Field(
        default=None,
        description="Put prompts through the model's chat template, as the user's turn; "
        "null: where there is a template.",
    )
    chat_template_kwargs: Mapping[Variable, Value] = Field(
        default_factory=dict,
        description='Values of the chat template\'s own variables, as {"enable_thinking": false}; '
        "checkpoints keep them in their template, and the starting model is evaluated with them.",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Of the computation, by autocast; auto: bfloat16 on a GPU, float32 on a CPU. "
        "Trained weights are float32; those that LoRA freezes are of this type.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Keep a layer's input only, and compute the layer again in the backward pass: "
        "less memory, about a third more time.",
    )
    lora: Annotated[bool | Lora, WrapValidator(_of_its_type)] = Field(
        default=False, description="Train adapters only; false: all weights are trained."
    )
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="Of initial weights, order and everything drawn."
    )

    def on(self, device: str) -> Self:
        """With the dtype that this device computes in: "cpu", "cuda:0"."""
        if self.dtype != "auto":
            return self
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
        return self.model_copy(update={"dtype": dtype})

    @model_validator(mode="before")
    @classmethod
    def _own_rate(cls, given: Any) -> Any:
        """Fills in the method's own learning rate, so that a job shows which one it had."""
        if not isinstance(given, Mapping) or given.get("learning_rate") is not None:
            return given
        extra = cls.model_fields["learning_rate"].json_schema_extra
        own = extra[RATES] if isinstance(extra, dict) else None
        if not isinstance(own, dict):  # a trainer with one default for both
            return {name: value for name, value in given.items() if name != "learning_rate"}
        return {**given, "learning_rate": own["lora" if given.get("lora") else "full"]}

    @property
    def adapter(self) -> Lora | None:
        """The adapter's settings; None for full fine-tuning."""
        if isinstance(self.lora, Lora):
            return self.lora
        return Lora() if self.lora else None


class Reward(BaseModel):
    """A metric's per-sample value as a reward; several are summed by weight."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(
        min_length=1,
        max_length=200,
        description="A metric's name (`GET /v1/metrics`), or `evaluate/<path>`.",
    )
    name: str | None = Field(
        default=None, description="Which of the metric's scores; null: its first."
    )
    params: Mapping[str, Any] = Field(
        default_factory=dict, description="The metric's parameters, as an evaluation takes them."
    )
    weight: float = Field(
        default=1.0, description="Factor in the sum; negative where less is better."
    )
    unmeasured: Literal["fail"] | float = Field(
        default="fail",
        description="What a completion earns that the metric cannot measure, before the weight; "
        "fail: it ends the job.",
    )


class Budget(BaseModel):
    """The most that rewards may take of models and servers behind URLs, in all of the job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: int | None = Field(
        default=None, ge=1, le=10**15, description="Answers that are paid for."
    )
    tokens: int | None = Field(
        default=None,
        ge=1,
        le=10**15,
        description="Input and output together, as the server counts them.",
    )
    cost: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="In the currency of the models' prices.",
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.requests is None and self.tokens is None and self.cost is None:
            raise PydanticCustomError("no_limit", "give requests, tokens or cost")
        return self


class RewardedOptions(Options):
    """What trainers share that write completions and learn from their rewards."""

    rewards: tuple[Reward, ...] = Field(
        min_length=1, description="What a completion earns: the weighted sum of these."
    )
    budget: Budget | None = Field(
        default=None,
        description="The most that rewards behind URLs may take; the job pauses before more is "
        "taken. null: no limit.",
    )
    num_generations: int = Field(default=1, ge=1, le=1024, description="Completions of a prompt.")
    max_completion_length: int = Field(
        default=256,
        ge=1,
        le=10_000_000,
        description="Tokens of a completion at most; prompts have the rest.",
    )
    temperature: float = Field(
        default=1.0, gt=0, description="Of the draws and of every probability that is learned from."
    )

    sampled: int = Field(
        default=4, ge=0, le=8, description="Completions that an event shows; 0: none are shown."
    )
    sample_steps: int = Field(
        default=10,
        ge=1,
        le=10_000_000,
        description="Optimiser steps between such events at least.",
    )

    @model_validator(mode="after")
    def _no_dropout(self) -> Self:
        if self.adapter and self.adapter.dropout:
            raise ValueError("lora.dropout must be 0: π_θ / π_old would not be 1 at first")
        return self

    @property
    def judge(self) -> Reward | None:
        """The first of the rewards that is a reward model's; None where none is."""
        return next((one for one in self.rewards if one.metric == "reward"), None)

    @property
    def rollout_size(self) -> int:
        """Completions that a process draws with the same weights."""
        return self.batch_size * self.gradient_accumulation_steps

    @property
    def steps_per_rollout(self) -> int:
        """Optimiser steps over the same completions."""
        return 1

    def rollouts(self, records: int, processes: int) -> int:
        """Of an epoch, which is `num_generations` completions of every prompt."""
        return math.ceil(records * self.num_generations / (self.rollout_size * processes))

    def steps(self, records: int, processes: int) -> int:
        """Optimiser steps of the whole job."""
        an_epoch = self.rollouts(records, processes) * self.steps_per_rollout
        return self.max_steps or math.ceil(self.epochs * an_epoch)
