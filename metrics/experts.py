"""Experts: how evenly a mixture-of-experts model spreads the tokens of texts over its experts.

Conventions
- The model reads the text after the beginning-of-text token, and each of its routers' choices is
  noted: a token that goes to k experts counts k times in that layer. The beginning-of-text token
  and padding count nowhere; shared experts, which see every token, are not routed to.
- `expert_entropy` is the entropy of a layer's loads over that of even ones (1: even, 0: all tokens
  to one expert); `expert_imbalance` the largest load over the mean (1: even, E: all to one). Both
  are of all texts' tokens together, then the mean over layers.
- `experts_unused` is the share of experts that no token was sent to.
- `experts_dropped` is the share of choices that would be dropped were each expert limited, in each
  text, to `capacity_factor` times an even share, rounded up, as in GShard and Switch Transformer;
  transformers itself drops none, and neither do the numbers above.
- `layers` adds entropy and imbalance of single layers, by their place among those with experts,
  from 0: `expert_entropy_0`.
- Texts beyond the window are read in pieces that each begin anew. `text: reference` reads the
  references. Several outputs of a sample are added up. An empty text is missing.
- Two models' entropy, imbalance and unused experts are tested by exchanging their loads of texts at
  random, each layer's experts matched by how busy they are (`metrics.statistics.exchange`).
- Few tokens make loads uneven by chance, most where experts are many: compare equal amounts of
  text. Intervals are of the value at that number of texts (93% to 99% held it in simulations of 20
  and 100 texts), not of what more text would come to.

Shazeer et al. (ICLR 2017); Fedus, Zoph, Shazeer: Switch Transformers (JMLR 2022).

Example
    >>> sums = np.array([30.0, 10, 20, 20, 5, 80, 2, 1])  # two layers of two experts, one text
    >>> METRIC.bind({"model": "mixtral"}).reduce(sums).round(4).tolist()
    [0.9056, 1.25, 0.0, 0.0625]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, cast

import numpy as np
from pydantic import Field

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.protocol import DType, Models
from metrics.core.evidence import FLAG, Column, Evidence
from metrics.core.metric import Exchange, Flag, Item, Metric, Params, Score, Source
from metrics.core.read_text import needs, settle, sizes, windows
from metrics.core.rows import Floats, Ints

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

BATCH_ROWS, BATCH_BYTES = 128, 16_384  # of texts between two reports of progress
BESIDE = 4  # columns after the loads: dropped, choices, layers, 1
EMPTY = 1


class ExpertsParams(Params):
    """Which text is read by which model, and how much an expert takes."""

    model: str = Field(description="a mixture of experts, as Mixtral, Qwen-MoE and DeepSeek-V3 are")
    dtype: DType = "float32"
    text: Literal["output", "reference"] = "output"
    capacity_factor: float = Field(1.25, gt=0, description="of an even share, in a text")
    window: int | None = Field(None, ge=2, description="tokens; null: all the model's positions")
    layers: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="whose own numbers are told, from 0"
    )


def measure(items: Sequence[Item], params: ExpertsParams, models: Models) -> Evidence:
    """Rows (loads of each layer's experts, dropped, choices, layers, 1) of each item."""
    from inference.routing import expert_loads

    model = cast("TransformerLanguageModel", models.language(params.model, params.dtype))
    window = min(params.window or model.max_length, model.max_length)
    owner, pieces = [], []
    for at, ids in windows(model, items, params, window - 1):
        pieces.append(([model.start_id], ids))
        owner.append(at)
    loads = expert_loads(model, pieces)  # (pieces, L, E)
    layers, experts = loads.shape[1:]
    if params.layers and max(params.layers) >= layers:
        raise InputError(f"{params.model!r} has {layers} layers with experts", "params.layers")
    whole = np.zeros((len(items), layers, experts), np.int64)
    np.add.at(whole, np.asarray(owner, np.int64), loads)
    chosen = whole.sum((1, 2))
    rows = np.column_stack(
        [whole.reshape(len(items), -1), _dropped(whole, params.capacity_factor), chosen]
    )
    rows = np.column_stack([rows, np.where(chosen > 0, layers, 0), chosen > 0])
    flags = np.where(chosen > 0, 0, EMPTY).astype(np.uint8)
    return Evidence({"row": Column(rows.astype(np.int64)), FLAG: Column(flags)})


def _dropped(loads: Ints, factor: float) -> Ints:
    """(n,) choices above what each expert takes, of (n, L, E) loads."""
    total = loads.sum(-1, keepdims=True)
    capacity = np.ceil(factor * total / loads.shape[-1] - 1e-9).astype(np.int64)
    return np.asarray(np.maximum(loads - capacity, 0).sum((1, 2)), np.int64)


def reduce(sums: Floats, params: ExpertsParams) -> Floats:
    """(..., L · E + 4) -> entropy, imbalance, unused, dropped; entropy, imbalance of `layers`."""
    sums = np.asarray(sums, np.float64)
    *_, dropped, choices, of_layers, one = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = of_layers / one
        known = ratio[np.isfinite(ratio)]
        if not known.size:
            return np.full((*sums.shape[:-1], len(scores(params))), np.nan)
        layers = round(float(known.max()))
        loads = sums[..., :-BESIDE].reshape(*sums.shape[:-1], layers, -1)
        experts = loads.shape[-1]
        share = loads / loads.sum(-1, keepdims=True)
        logs = np.where(share > 0, np.log(np.where(share > 0, share, 1.0)), 0.0)
        entropy = -(share * logs).sum(-1) / math.log(max(experts, 2))  # (..., L)
        imbalance = share.max(-1) * experts
        values = [entropy.mean(-1), imbalance.mean(-1), (loads == 0).mean((-2, -1))]
        values += [dropped / choices]
        for layer in params.layers:
            values += [entropy[..., layer], imbalance[..., layer]]
        return np.where(one[..., None] > 0, np.stack(values, axis=-1), np.nan)


def orders(a: Floats, b: Floats, params: ExpertsParams) -> tuple[Ints, Ints]:
    """Each layer's experts from the busiest to the idlest: models number theirs as it comes."""
    return _by_load(a), _by_load(b)


def _by_load(rows: Floats) -> Ints:
    sums = rows.sum(0)
    layers = max(round(float(sums[-2] / max(sums[-1], 1.0))), 1)
    loads = sums[:-BESIDE].reshape(layers, -1)
    places = np.argsort(-loads, axis=1, kind="stable")
    places += np.arange(layers)[:, None] * loads.shape[1]
    return np.append(places.ravel(), np.arange(len(sums) - BESIDE, len(sums)))


def uneven(params: ExpertsParams) -> tuple[str, ...]:
    """Scores that go by the busiest or idlest experts, which leaving a text out may change."""
    return tuple(score.name for score in scores(params) if score.name != "experts_dropped")


def plan(items: Sequence[Item], params: ExpertsParams, models: Models) -> list[list[int]]:
    """By bytes, so that a plan needs no tokenizer and stored evidence loads no model."""
    return plan_by_length(sizes(items, params), BATCH_BYTES, BATCH_ROWS)


def scores(params: ExpertsParams) -> tuple[Score, ...]:
    """Of all layers, and of those that were asked for. Of references the model is judged."""
    judged = ("model", "weights", "tokenizer_digest") if params.text == "reference" else ()
    told = [
        Score("expert_entropy", True, 0.0, 1.0, "over that of even loads", judged),
        Score(
            "expert_imbalance",
            False,
            1.0,
            about="largest load over the mean",
            comparable_across=judged,
        ),
        Score("experts_unused", False, 0.0, 1.0, "share of experts without a token", judged),
        Score("experts_dropped", False, 0.0, 1.0, "share of choices beyond capacity", judged),
    ]
    for layer in params.layers:
        told.append(Score(f"expert_entropy_{layer}", True, 0.0, 1.0, "of that layer"))
        told.append(Score(f"expert_imbalance_{layer}", False, 1.0, about="of that layer"))
    return tuple(told)


METRIC = Metric(
    name="experts",
    version=1,
    about="How evenly a mixture of experts spreads the tokens of the text over its experts.",
    formula="entropy −Σ f_e ln f_e / ln E and imbalance E · max f_e of loads f_e, mean over layers",
    avoid=(
        "Little text, which loads experts unevenly by chance; judging quality: experts may well be "
        "of use to some texts only."
    ),
    params=ExpertsParams,
    reads=("output", "references"),
    needs=needs,
    scores=scores,
    interval="jackknife",
    exchange=Exchange(scores=uneven, orders=orders),
    own_rows=True,
    source=Source(
        "Fedus, Zoph and Shazeer 2022, arXiv:2101.03961",
        "own definition; routers' choices as transformers makes them",
    ),
    measure=measure,
    plan=plan,
    settle=settle,
    reduce=reduce,
    libraries=("transformers",),
    models=lambda params: (params.model,),
    model_kind="language",
    flags={EMPTY: Flag("the text is empty", missing=True)},
    cached=True,
)
