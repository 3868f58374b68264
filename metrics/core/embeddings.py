"""A vector for a text: what metrics compare, cluster, or take the spread of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.batching import plan_by_length, plan_in_order
from inference.errors import InputError
from inference.protocol import DType, Encoder, Models
from metrics.core.metric import Item, Params

ITEMS_PER_BATCH = 256
BYTES_PER_BATCH = 1 << 20
ROWS_PER_PASS = 256


class EmbeddingParams(Params):
    """What embeds texts; `pooling` and `dtype` are not for a model behind a URL."""

    model: str = Field("builtin/minilm-l6", description="What embeds the texts.")
    dtype: DType = "float32"
    pooling: Literal["mean", "last"] = Field("mean", description="Over tokens, or the last one.")


def plan(items: Sequence[Item], params: EmbeddingParams, models: Models) -> list[list[int]]:
    """Runs of items in their order, bounded by bytes of text: no tokenizer is loaded for it."""
    sizes = [sum(len(text.encode()) for text in (i.output, *i.references)) for i in items]
    return plan_in_order(sizes, BYTES_PER_BATCH, ITEMS_PER_BATCH)


def embeddings(
    texts: Sequence[str], params: EmbeddingParams, models: Models
) -> NDArray[np.float32]:
    """(n, D) a vector a text, truncated to the model's window. Raises InputError."""
    remote = models.embeddings(params.model)
    if remote is None:
        encoder = models.encoder(params.model, params.dtype)
        return _pooled(encoder, encoder.encode(texts), params)
    for name in ("pooling", "dtype"):
        if getattr(params, name) != type(params).model_fields[name].default:
            message = f"{params.model!r} is behind a URL, where {name} is its own: leave it out"
            raise InputError(message, f"params.{name}")
    return remote.of(texts)


def _pooled(
    encoder: Encoder, sequences: Sequence[list[int]], params: EmbeddingParams
) -> NDArray[np.float32]:
    """(n, D) a vector a sequence; like lengths share a pass."""
    found: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(sequences)
    lengths = [len(ids) for ids in sequences]
    for indices in plan_by_length(lengths, encoder.tokens_per_pass, ROWS_PER_PASS):
        batch = [sequences[index] for index in indices]
        if params.pooling == "mean":
            vectors = list(encoder.pooled(batch))
        else:
            vectors = [_last(states) for states in encoder.hidden(batch, encoder.layers)]
        for index, vector in zip(indices, vectors, strict=True):
            found[index] = vector
    return np.stack(found)


def _last(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """(D,) state of the last token; zeros for a sequence without tokens."""
    return states[-1] if len(states) else np.zeros(states.shape[1], np.float32)
