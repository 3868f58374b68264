"""Attention: a model's attention by one backend beside the plain one, and what its cache takes.

Conventions
- Each text is read by itself, after the beginning-of-text token, by `eager` attention, which writes
  its table of scores out, and by `backend`: `sdpa` (PyTorch's own choice), one of its kernels
  (`sdpa_math`, `sdpa_flash`, `sdpa_efficient`) or `flash_attention_2` (a GPU, half precision, the
  package flash-attn). A backend that cannot be had is an error that says what it lacks.
- `attention_difference` is the largest difference of the text's log-probabilities, in nats: the
  mean over texts of each text's largest. Of float32 some roundings, of bfloat16 hundredths.
- `eager_tokens_per_second` and `backend_tokens_per_second` are of passes up to the last states, one
  of each, after one that is not timed; `attention_speedup` is their ratio. `eager_peak_bytes` and
  `backend_peak_bytes` are what such a pass has in memory at once beyond the weights, mean over
  texts. Both are of this machine, as busy as it is.
- `cache_bytes_per_token` is measured: keys and values, or latents, of all layers, as they are kept.
  Beside it, what grouped-query attention with `kv_heads` heads for keys and values, and multi-head
  attention, would keep in the same layers with heads of the same width (of multi-head latent
  attention, `v_head_dim`): 2 · heads · width · layers · bytes, as DeepSeek-V2 compares them.
- Of a text of more than `window` tokens, or the model's positions, the beginning is read.
  `text: reference` reads the references. An empty text is missing.
- Evidence is not kept: what is measured again would differ.

Dao et al.: FlashAttention (NeurIPS 2022). DeepSeek-AI: DeepSeek-V2 (2024), table 1.

Example
    >>> sums = np.array([2e-6, 0.5, 0.25, 4e6, 1e6, 1.6e4, 3.2e4, 6.4e4, 100, 2])
    >>> [float(f"{value:.3g}") for value in METRIC.bind().reduce(sums)]
    [1e-06, 200.0, 400.0, 2.0, 2000000.0, 500000.0, 160.0, 320.0, 640.0]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from pydantic import Field

from inference.attention import Backend
from inference.batching import plan_by_length
from inference.protocol import DType, Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.read_text import needs, settle, sizes, texts_of
from metrics.core.rows import Floats

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

BATCH_ROWS, BATCH_BYTES = 16, 16_384  # of texts between two reports of progress
COLUMNS = 10
SHORT = 1


class AttentionParams(Params):
    """Which text is read by which model, and by what."""

    model: str = Field("builtin/smollm2-135m-instruct", description="the model that attends")
    dtype: DType = "float32"
    text: Literal["output", "reference"] = "output"
    backend: Backend = Field("sdpa", description="compared with eager")
    window: int = Field(1024, ge=2, description="tokens of a text that are read")
    kv_heads: int = Field(8, ge=1, description="of the grouped-query attention beside it")


def measure(items: Sequence[Item], params: AttentionParams, models: Models) -> Evidence:
    """Rows (difference, seconds and peak bytes of both, bytes of three caches, tokens, 1)."""
    model = cast("TransformerLanguageModel", models.language(params.model, params.dtype))
    texts = [(at, text) for at, item in enumerate(items) for text in texts_of(item, params)]
    window = min(params.window, model.max_length)
    rows = np.zeros((len(items), COLUMNS))
    for (at, _), ids in zip(texts, model.encode([text for _, text in texts]), strict=True):
        if ids:
            rows[at] += _row(model, [model.start_id, *ids][:window], params)
    return Evidence.of_rows(rows, [0 if row[-1] else SHORT for row in rows])


def _row(
    model: TransformerLanguageModel, ids: list[int], params: AttentionParams
) -> tuple[float, ...]:
    from inference.attention import cache_size, passed

    plain, other = (passed(model, ids, one) for one in ("eager", params.backend))
    size = cache_size(model, ids, params.kv_heads)
    return (
        float(np.abs(plain.logs - other.logs).max()),
        *(plain.seconds, other.seconds, plain.peak, other.peak),
        *(size.kept, size.grouped, size.multi_head, len(ids), 1),
    )


def reduce(sums: Floats, params: AttentionParams) -> Floats:
    """(..., 10) sums to (..., 9) scores."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gap, plain, other, *bytes_, tokens, texts = np.moveaxis(np.asarray(sums, float), -1, 0)
        values = [gap / texts, tokens / plain, tokens / other, plain / other]
        values += [peak / texts for peak in bytes_[:2]]
        return np.stack([*values, *(size / tokens for size in bytes_[2:])], axis=-1)


def plan(items: Sequence[Item], params: AttentionParams, models: Models) -> list[list[int]]:
    """By bytes: what stands between two reports of progress."""
    return plan_by_length(sizes(items, params), BATCH_BYTES, BATCH_ROWS)


METRIC = Metric(
    name="attention",
    version=1,
    about="A model's attention by another backend: parity, speed, memory; and its cache's size.",
    formula="largest |Δ log p|; tokens / s; bytes of keys and values / tokens",
    avoid="Judging outputs: it measures the model that reads them, and the machine. Busy machines.",
    params=AttentionParams,
    reads=("output", "references"),
    needs=needs,
    scores=(
        Score("attention_difference", False, about="nats, mean of each text's largest"),
        Score("eager_tokens_per_second", True, about="plain attention"),
        Score("backend_tokens_per_second", True, about="the backend"),
        Score("attention_speedup", True, about="the backend's over plain"),
        Score("eager_peak_bytes", False, about="at once, beyond the weights"),
        Score("backend_peak_bytes", False, about="at once, beyond the weights"),
        Score("cache_bytes_per_token", False, about="as the model keeps it"),
        Score("grouped_cache_bytes_per_token", False, about="with `kv_heads` heads"),
        Score("multi_head_cache_bytes_per_token", False, about="with all heads"),
    ),
    interval="bootstrap_t",
    source=Source(
        "Dao et al. 2022, arXiv:2205.14135; DeepSeek-AI 2024, arXiv:2405.04434",
        "own definition; the backends of transformers 5.23 and PyTorch 2.13",
    ),
    measure=measure,
    plan=plan,
    settle=settle,
    reduce=reduce,
    libraries=("torch", "transformers"),
    models=lambda params: (params.model,),
    model_kind="language",
    flags={SHORT: Flag("the text is empty", missing=True)},
    bulky=True,
)
