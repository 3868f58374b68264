"""Multi-token prediction: how well a model's own modules see further ahead, and draft for it.

Conventions
- Of models with modules for tokens further ahead (DeepSeek-V3 and those built likewise; their
  weights are read from the checkpoint, where plain models leave them). The text is read as it is,
  after the beginning-of-text token: at each place the model predicts the next token, and module k
  the one that is k further on, from the states below it and the tokens up to k on.
- `perplexity_ahead_1` is the model's own, exp(nll / tokens); `perplexity_ahead_2` of the first
  module, and so on to `depth`. All tokens of all texts count that are that far in.
- `acceptance_k` is the share of places at which module k's likeliest token is the model's: the
  drafts that greedy self-speculation accepts. `sampled_acceptance_k` is the mean of
  Σ min(p, q) over the vocabulary: those that speculative sampling accepts at temperature 1.
- `tokens_per_pass` is what a pass of the model yields with `depth` drafts, accepted greedily up to
  the first wrong one: 1 + the shares of places at which the first 1, 2, … drafts are right.
- Drafts are made of the text's tokens. On the model's own greedy answers that is what it does in
  generation; on other texts it is how it would go on from there.
- Texts beyond the window are read in pieces that each begin anew. `text: reference` reads the
  references. Several outputs of a sample add up. A text that is empty or too short to be looked
  ahead in is missing.

DeepSeek-AI: DeepSeek-V3 (2024). Leviathan, Kalman, Matias (ICML 2023).

Example
    >>> sums = np.array([20 * np.log(4), 20, 20, 20, 20, 19 * np.log(8), 19, 15.2, 13.3, 15.2])
    >>> METRIC.bind({"model": "deepseek-v3"}).reduce(sums).round(6).tolist()
    [4.0, 8.0, 0.8, 0.7, 1.8]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from pydantic import Field

from inference.batching import plan_by_length
from inference.protocol import DType, Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.read_text import needs, settle, sizes, windows
from metrics.core.rows import Floats

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

BATCH_ROWS, BATCH_BYTES = 128, 16_384  # of texts between two reports of progress
SHORT = 1


class MultiTokenParams(Params):
    """Which text is read by which model, and how far ahead."""

    model: str = Field(description="with modules for tokens further ahead, as DeepSeek-V3 has")
    dtype: DType = "float32"
    text: Literal["output", "reference"] = "output"
    depth: int = Field(1, ge=1, le=8, description="modules that draft one after the other")
    window: int | None = Field(None, ge=4, description="tokens; null: all the model's positions")


def measure(items: Sequence[Item], params: MultiTokenParams, models: Models) -> Evidence:
    """Rows of five sums a distance (`inference.drafting.looked_ahead`) of each item."""
    from inference.drafting import COLUMNS, looked_ahead

    model = cast("TransformerLanguageModel", models.language(params.model, params.dtype))
    window = min(params.window or model.max_length, model.max_length)
    owner, pieces = [], []
    for at, ids in windows(model, items, params, window - 1):
        pieces.append([model.start_id, *ids])
        owner.append(at)
    rows = np.zeros((len(items), params.depth + 1, COLUMNS))
    np.add.at(rows, np.asarray(owner, np.int64), looked_ahead(model, pieces, params.depth))
    short = rows[:, -1, 1] == 0  # no place is that far in
    rows[short] = 0
    return Evidence.of_rows(rows.reshape(len(items), -1), np.where(short, SHORT, 0).tolist())


def reduce(sums: Floats, params: MultiTokenParams) -> Floats:
    """(..., 5 · (depth + 1)) to perplexities, acceptances in turns, tokens a pass."""
    by_distance = np.asarray(sums, np.float64).reshape(*sums.shape[:-1], params.depth + 1, -1)
    nll, tokens, agree, both, chain = np.moveaxis(by_distance, -1, 0)  # (..., depth + 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        perplexity, share = np.exp(nll / tokens), chain / tokens
        accepted = np.stack([agree / tokens, both / tokens], -1)[..., 1:, :]
        turns = accepted.reshape(*sums.shape[:-1], -1)
        yielded = 1 + share[..., 1:].sum(-1, keepdims=True)
        return np.concatenate([perplexity, turns, yielded], axis=-1)


def plan(items: Sequence[Item], params: MultiTokenParams, models: Models) -> list[list[int]]:
    """By bytes, so that a plan needs no tokenizer and stored evidence loads no model."""
    return plan_by_length(sizes(items, params), BATCH_BYTES, BATCH_ROWS)


def scores(params: MultiTokenParams) -> tuple[Score, ...]:
    """Of references the model is judged: models of one tokenizer may be compared."""
    judged = ("model", "weights") if params.text == "reference" else ()
    told = [
        Score(f"perplexity_ahead_{ahead}", False, 1.0, float("inf"), "exp(nll / tokens)", judged)
        for ahead in range(1, params.depth + 2)
    ]
    for k in range(1, params.depth + 1):
        told += [
            Score(f"acceptance_{k}", True, 0.0, 1.0, "of greedy drafts", judged),
            Score(f"sampled_acceptance_{k}", True, 0.0, 1.0, "Σ min(p, q)", judged),
        ]
    most = 1.0 + params.depth
    return (*told, Score("tokens_per_pass", True, 1.0, most, "with greedy drafts", judged))


METRIC = Metric(
    name="multi_token",
    version=1,
    about="How well a model's own modules predict tokens further ahead and draft for it.",
    formula=(
        "exp(nll / tokens) of tokens 1 … depth + 1 ahead; acceptance: share of drafts that are the "
        "model's choice"
    ),
    avoid=(
        "Texts that the model did not write itself, as a forecast of its speed: drafts of its own "
        "answers are accepted more often."
    ),
    params=MultiTokenParams,
    reads=("output", "references"),
    needs=needs,
    scores=scores,
    interval="bootstrap_t",
    source=Source(
        "DeepSeek-AI 2024, arXiv:2412.19437; Leviathan et al. 2023, arXiv:2211.17192",
        "transformers 5.23, the modules of generate(use_mtp=True)",
    ),
    measure=measure,
    plan=plan,
    settle=settle,
    reduce=reduce,
    libraries=("transformers",),
    models=lambda params: (params.model,),
    model_kind="language",
    flags={SHORT: Flag("the text is too short to look ahead in", missing=True)},
    cached=True,
)
