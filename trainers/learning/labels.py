"""TRL's KTOTrainer with our tokens, and a loss of held-out rows that is one of the whole set.

TRL's own takes z, how far the policy has moved, from each batch, so that the number of rows in a
batch would change what is measured. Here the rows of all batches and processes come together first.

Imports trl: import this module inside `train`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from trl.trainer.kto_trainer import KTOTrainer

from trainers.learning.sharding import Sharding
from trainers.learning.validation import Validating


class LabelTrainer(Validating, Sharding, KTOTrainer):
    """The dataset holds ids of prompts, answers and y′, with labels.

    conclude  of rows (N, 3), which are r(x, y), r(x, y′) and the label, all that is reported of a
              held-out set, its `loss` among it
    """

    def __init__(
        self, *, conclude: Callable[[Tensor], Mapping[str, float]], **settings: Any
    ) -> None:
        super().__init__(**settings)
        self._conclude = conclude
        self._rows: list[Tensor] = []  # of the held-out set: (B, 3) a batch of all processes

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Checkpoints have a card of ours."""

    def validation_loss(self, model: Any, inputs: Any) -> Tensor:
        """0: the batch's rows are kept, for `evaluation_loop` to conclude on."""
        rows: Tensor = self.accelerator.gather_for_metrics(self._compared(model, inputs))
        self._rows.append(rows.double())
        return rows.new_zeros(())

    def evaluation_loop(self, *positional: Any, **named: Any) -> Any:
        """As there, with the loss of the whole set."""
        self._rows = []
        evaluate: Any = super().evaluation_loop
        output = evaluate(*positional, **named)
        found = self._conclude(torch.cat(self._rows))
        output.metrics.update({f"eval_{name}": value for name, value in found.items()})
        return output

    def _compared(self, model: Any, inputs: Any) -> Tensor:
        """(B, 3) of a batch."""
        policy = [_logprobs(model, inputs, which) for which in ("", "KL_")]  # (B,) each
        of_reference: Any = self.compute_ref_log_probs
        start = of_reference(self.ref_model or self.model, inputs)  # (B,) each
        moved = [now - then for now, then in zip(policy, start, strict=True)]
        return torch.stack([*moved, inputs["label"].to(moved[0])], 1)


def _logprobs(model: Any, inputs: Any, which: str) -> Tensor:
    """(B,) log π_θ(y|x), or of y′ for "KL_"."""
    ids = inputs[f"{which}input_ids"]
    outputs = model(
        input_ids=ids,
        attention_mask=inputs[f"{which}attention_mask"],
        labels=ids.masked_fill(inputs[f"{which}completion_mask"] == 0, -100),
        fused_lm_head=True,
        use_cache=False,
    )
    summed: Tensor = outputs.log_probs.sum(-1)
    return summed
