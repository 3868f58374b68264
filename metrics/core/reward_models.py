"""How metrics read a text by a reward model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.protocol import DType, Models
from metrics.core.metric import Params
from metrics.core.rows import Floats

NOTHING, CUT = 1, 2  # flags of a text: no token to read; cut at `max_length`


class RewardModelParams(Params):
    """The reward model, and how it is shown the text."""

    model: str = Field(description="a sequence-classification model with one output")
    dtype: DType = "float32"
    chat: bool | None = Field(None, description="chat template; null: where the model has one")
    max_length: int | None = Field(None, ge=1, description="tokens; null: the model's positions")


def logits(
    texts: Sequence[tuple[str | None, str]],
    params: RewardModelParams,
    models: Models,
    batch_rows: int,
) -> tuple[Floats, list[int]]:
    """(N,) raw logits of (prompt, output), 0 where neither has a token; and the flags of each.

    Raises InputError where the model has fewer positions than `max_length`.
    """
    model = models.classifier(params.model, params.dtype)
    limit = params.max_length or model.max_length
    if limit > model.max_length:
        raise InputError(
            f"max_length is {limit}, and {params.model!r} has {model.max_length} positions",
            "params.max_length",
        )
    whole = model.encode(texts, params.chat)
    ids = [model.cut(one, limit) for one in whole]
    found = np.zeros(len(ids))
    present = [index for index, one in enumerate(ids) if one]
    lengths = [len(ids[index]) for index in present]
    for batch in plan_by_length(lengths, model.tokens_per_pass, batch_rows):
        chosen = [present[at] for at in batch]
        found[chosen] = model.scores([ids[index] for index in chosen])
    flags = [
        NOTHING if not one else CUT if len(one) < len(all_of_it) else 0
        for one, all_of_it in zip(ids, whole, strict=True)
    ]
    return found, flags
