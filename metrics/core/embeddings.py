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
from metrics.core.evidence import FLAG, Evidence
from metrics.core.metric import Flag, Item, Params
from metrics.core.rows import Ints

ITEMS_PER_BATCH = 256
BYTES_PER_BATCH = 1 << 20
ROWS_PER_PASS = 256


BLANK = 1
BLANKS = {BLANK: Flag("a text is blank, and counted as a text like any other", missing=False)}


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


def sides(items: Sequence[Item], params: EmbeddingParams, models: Models) -> Evidence:
    """Embeddings: `output` (D,) and `references` (R, D) of every item, float32; flags of BLANKS."""
    texts = list(dict.fromkeys(text for i in items for text in (i.output, *i.references)))
    row = {text: index for index, text in enumerate(texts)}
    features = embeddings(texts, params, models)  # (n_texts, D)
    references: list[NDArray[np.generic]] = [
        features[[row[text] for text in item.references]] for item in items
    ]
    blank = [any(not text.strip() for text in (i.output, *i.references)) for i in items]
    fixed: dict[str, NDArray[np.generic]] = {
        "output": features[[row[item.output] for item in items]],
        FLAG: np.where(blank, BLANK, 0).astype(np.uint8),
    }
    return Evidence.of_ragged({"references": references}, fixed)


def references_once(evidence: Evidence, unit: Ints) -> tuple[NDArray[np.float32], Ints]:
    """(n, D) references of `sides` and (n,) their units: a unit's items share its references."""
    item_of_reference = np.repeat(np.arange(len(evidence)), evidence.lengths("references"))
    first = np.zeros(len(unit), bool)
    first[np.unique(unit, return_index=True)[1]] = True
    once = first[item_of_reference]
    return evidence["references"].astype(np.float32)[once], unit[item_of_reference[once]]
