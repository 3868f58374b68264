"""The loss of held-out rows, the method's own, at checkpoints or every few steps.

It is the objective over the whole set: how rows are batched or shared among processes changes
nothing. Nothing is drawn that training would draw, so a run with a held-out set trains as one
without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from trainers.job.errors import TrainingError
from trainers.job.run import HeldOut, Run

T = TypeVar("T")


def held_out(run: Run, read: Callable[[Run], T]) -> T | None:
    """What `read` makes of the held-out records; None without any. Raises TrainingError, with
    fields of `validation`."""
    if run.spec.validation is None:
        return None
    try:
        return read(HeldOut(run))
    except TrainingError as error:
        field = f"validation.{error.field}" if error.field else "validation"
        raise TrainingError(error.code, f"of the validation set: {error.message}", field) from error


class Validating:
    """A mixin, before a `transformers.Trainer` with an `eval_dataset`."""

    compute_loss: Callable[..., Tensor]
    compute_loss_context_manager: Callable[[], Any]
    _prepare_inputs: Callable[[Any], Any]

    def validation_loss(self, model: Any, inputs: Any) -> Tensor:
        """Of a batch, such that the mean over batches, weighted by rows, is that of the set."""
        return self.compute_loss(model, inputs)

    def prediction_step(
        self, model: Any, inputs: Any, *_: Any, **__: Any
    ) -> tuple[Tensor, None, None]:
        """(loss, None, None) of a batch."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            loss = self.validation_loss(model, inputs)
        return loss.detach().float().mean(), None, None

    def evaluate(self, *positional: Any, **named: Any) -> Any:
        """As there, with nothing drawn from everybody's generator."""
        evaluate: Any = super().evaluate  # type: ignore[misc]
        with torch.random.fork_rng(devices=[]):
            return evaluate(*positional, **named)
