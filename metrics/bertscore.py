"""BERTScore: how well the tokens of two texts match, by the cosine of their contextual vectors.

    P = sum_i w(x_i) max_j cos(x_i, y_j) / sum_i w(x_i)      x: output's tokens, y: reference's
    R = sum_j w(y_j) max_i cos(x_i, y_j) / sum_j w(y_j)      F1 = 2 P R / (P + R)

Conventions, bert-score's own unless said otherwise:

- Texts are stripped and truncated to the model's window. `[CLS]` and `[SEP]` can be matched but
  weigh 0; every other token weighs 1, or, with `idf`, log((N + 1) / (c + 1)) where c of the N
  texts of the corpus contain the token. The corpus is every reference string of the set scored
  (all references of all samples, equal strings counted as often as they occur), each sample's
  counted once however many outputs it has. So idf changes with the set and with a slice of it.
- Several references: the greatest P, the greatest R and the greatest F1, each by itself.
  Several outputs of a sample are averaged.
- A text without weighted tokens (empty, blank) has P = R = F1 = 0, and a flag. With
  `rescale_with_baseline`, (x - b) / (1 - b) is applied to these zeros too.
- Ours: similarities are taken over real tokens only. bert-score multiplies by a mask, so that a
  token whose cosines are all negative gets 0 if its pair happens to be padded: seen to move a pair
  of unrelated languages by 9e-4. A value here is bert-score's of the pair scored alone.
- Ours: where `layer` is null, the layer that bert-score tuned for the model's name, and for
  any other model (a local folder, a builtin) the last.

Range: F1 mostly in [0, 1], 1 for equal texts; cosines and rescaled values can be negative.

Example
    >>> bound = METRIC.bind({"idf": True})
    >>> bound.models
    ('builtin/minilm-l6',)
    >>> bound.reduce(np.array([1.5, 1.0, 1.2, 2.0])).tolist()  # of two samples: P, R, F1, count
    [0.75, 0.5, 0.6]
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from inference.batching import plan_by_length, plan_in_order
from inference.bertscore_tables import baseline, tuned_layers
from inference.errors import InputError
from inference.protocol import DType, Encoder, Models
from inference.sentences import Sentence
from metrics.core.evidence import FLAG, Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source, settle_only
from metrics.core.rows import Floats, Ints, Settled, average, mean

BLANK_OUTPUT, BLANK_REFERENCE, CUT = 1, 2, 3

ITEMS_PER_BATCH = 256
BYTES_PER_BATCH = 1 << 18  # of text: bounds the hidden states that stand in memory
ROWS_PER_PASS = 256


class BERTScoreParams(Params):
    """Which hidden states are compared, and how tokens weigh."""

    model: str = Field("builtin/minilm-l6", description="Encoder whose hidden states are compared.")
    dtype: DType = "float32"
    layer: int | None = Field(
        None, ge=0, description="Hidden layer; null: bert-score's for this model, else the last."
    )
    idf: bool = settle_only(False, description="Weigh tokens by rarity among the references.")
    language: str = settle_only(
        "en", pattern=r"^[a-z]{2}(-[a-z]+)?$", description="Whose baseline table is used."
    )
    rescale_with_baseline: bool = settle_only(
        False, description="Spread values by bert-score's baseline of random pairs."
    )

    @field_validator("rescale_with_baseline")
    @classmethod
    def _has_baseline(cls, rescale: bool, info: ValidationInfo) -> bool:
        known = info.data
        if rescale and {"model", "layer", "language"} <= known.keys():
            try:
                baseline(known["model"], known["layer"], known["language"])
            except InputError as error:
                raise ValueError(error.message) from None
        return rescale


def plan(items: Sequence[Item], params: BERTScoreParams, models: Models) -> list[list[int]]:
    """Runs of items in their order, bounded by bytes of text: no tokenizer is loaded for it."""
    sizes = [sum(len(text.encode()) for text in (i.output, *i.references)) for i in items]
    return plan_in_order(sizes, BYTES_PER_BATCH, ITEMS_PER_BATCH)


def measure(items: Sequence[Item], params: BERTScoreParams, models: Models) -> Evidence:
    """Of every item, for each of its R references, what settle weighs:

    output_ids        (T,)         token ids of the output
    reference_ids     (sum T_r,)   token ids of the references, one after the other
    reference_tokens  (R,)         T_r
    precision         (R * T,)     best cosine of each output token, reference by reference
    recall            (sum T_r,)   best cosine of each reference token
    unweighted        (2,)         ids of [CLS] and [SEP], which weigh 0; -1 for none

    Raises InputError when the model has fewer layers than `layer`.
    """
    encoder = models.encoder(params.model, params.dtype, add_prefix_space=True)
    layer = _layer(params, encoder)
    texts = list(dict.fromkeys(t.strip() for i in items for t in (i.output, *i.references)))
    ids = dict(zip(texts, encoder.encode(texts), strict=True))
    vectors = dict(zip(texts, _unit_vectors(encoder, list(ids.values()), layer), strict=True))

    columns: dict[str, list[NDArray[np.generic]]] = {
        name: []
        for name in ("output_ids", "reference_ids", "reference_tokens", "precision", "recall")
    }
    flags = []
    for item in items:
        output, references = item.output.strip(), [text.strip() for text in item.references]
        pairs = [_best_cosines(vectors[output], vectors[text]) for text in references]
        columns["output_ids"].append(np.array(ids[output], np.int32))
        columns["reference_ids"].append(_join([ids[text] for text in references], np.int32))
        columns["reference_tokens"].append(np.array([len(ids[t]) for t in references], np.int32))
        columns["precision"].append(_join([pair[0] for pair in pairs], np.float32))
        columns["recall"].append(_join([pair[1] for pair in pairs], np.float32))
        flags.append(_flag(output, references, ids, encoder))
    special = [-1 if id is None else id for id in (encoder.cls_id, encoder.sep_id)]
    unweighted = np.tile(np.array(special, np.int32), (len(items), 1))
    return Evidence.of_ragged(columns, {"unweighted": unweighted, FLAG: np.array(flags, np.uint8)})


def settle(evidence: Evidence, unit: Ints, params: BERTScoreParams) -> Settled:
    """Rows (P, R, F1, 1), averaged over a unit's outputs; idf from the set's references."""
    output_ids = evidence["output_ids"].astype(np.int64)
    reference_ids = evidence["reference_ids"].astype(np.int64)
    unweighted = evidence["unweighted"].astype(np.int64)  # (n_items, 2)
    output_tokens = evidence.lengths("output_ids")  # (n_items,)
    references = evidence.lengths("reference_tokens")  # (n_items,)
    reference_tokens = evidence["reference_tokens"].astype(np.int64)  # (n_pairs,)
    item_of_pair = np.repeat(np.arange(len(evidence)), references)  # (n_pairs,)

    signature: dict[str, str] = {}
    if params.idf:
        corpus = _corpus(reference_ids, reference_tokens, item_of_pair, unit)
        signature["idf_corpus"] = corpus.digest
        output_weights = corpus.weigh(output_ids)
        reference_weights = corpus.weigh(reference_ids)
    else:
        of_output = np.repeat(np.arange(len(evidence)), output_tokens)
        of_reference = np.repeat(item_of_pair, reference_tokens)
        output_weights = _ordinary(output_ids, unweighted[of_output])
        reference_weights = _ordinary(reference_ids, unweighted[of_reference])

    again = _repeat_segments(output_tokens, item_of_pair)  # output's tokens, once a reference
    p = _weighted_means(
        evidence["precision"], output_weights[again], output_tokens[item_of_pair]
    )  # (n_pairs,)
    r = _weighted_means(evidence["recall"], reference_weights, reference_tokens)
    void = np.isnan(p) | np.isnan(r)
    p, r = np.where(void, 0.0, p), np.where(void, 0.0, r)
    f = np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=(p + r) != 0)
    pairs = np.stack([p, r, f], axis=1)
    best = np.maximum.reduceat(pairs, np.cumsum(references) - references, axis=0)  # (n_items, 3)
    if params.rescale_with_baseline:
        base = np.array(baseline(params.model, params.layer, params.language))
        best = (best - base) / (1.0 - base)
    rows = average(np.concatenate([best, np.ones((len(best), 1))], axis=1), unit)
    return Settled(rows, signature=signature, warnings=_warnings(void, params))


class _Corpus:
    """Document frequencies of token ids among the references."""

    def __init__(self, documents: int, ids: Ints, counts: Ints) -> None:
        self.ids = ids  # (V,) sorted
        self.weights: Floats = np.log((documents + 1) / (counts + 1))  # (V,)
        self.unseen = float(np.log(documents + 1))
        state = hashlib.blake2b(str(documents).encode(), digest_size=6)
        state.update(ids.tobytes() + counts.astype(np.int64).tobytes())
        self.digest = state.hexdigest()

    def weigh(self, ids: Ints) -> Floats:
        at = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        weights: Floats = np.where(self.ids[at] == ids, self.weights[at], self.unseen)
        return weights


def _corpus(ids: Ints, lengths: Ints, item_of_text: Ints, unit: Ints) -> _Corpus:
    """Of references one after the other; of a unit's items, which share them, the first counts."""
    first = np.zeros(len(unit), bool)
    first[np.unique(unit, return_index=True)[1]] = True
    counted = first[item_of_text]  # (n_texts,)
    text_of_token = np.repeat(np.arange(len(lengths)), lengths)
    kept = counted[text_of_token]
    span = int(ids.max(initial=0)) + 1
    once = np.unique(text_of_token[kept] * span + ids[kept])  # a text counts a token once
    found, counts = np.unique(once % span, return_counts=True)
    return _Corpus(int(counted.sum()), found, counts)


def _layer(params: BERTScoreParams, encoder: Encoder) -> int:
    layer = params.layer
    if layer is None:
        layer = tuned_layers().get(params.model, encoder.layers)
    if layer > encoder.layers:
        raise InputError(
            f"{params.model} has {encoder.layers} layers, layer {layer} was asked for",
            "params.layer",
        )
    return layer


def _unit_vectors(
    encoder: Encoder, sequences: Sequence[list[int]], layer: int
) -> list[NDArray[np.float32]]:
    """(T, D) hidden states of unit length, a sequence each; like lengths share a pass."""
    found: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(sequences)
    lengths = [len(ids) for ids in sequences]
    for batch in plan_by_length(lengths, encoder.tokens_per_pass, ROWS_PER_PASS):
        for index, states in zip(
            batch, encoder.hidden([sequences[i] for i in batch], layer), strict=True
        ):
            found[index] = states / np.linalg.norm(states, axis=1, keepdims=True)
    return found


def _best_cosines(
    output: NDArray[np.float32], reference: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(T,) and (T_r,) greatest cosine of each token with any of the other text's."""
    if not len(output) or not len(reference):
        return np.zeros(len(output), np.float32), np.zeros(len(reference), np.float32)
    cosines = output @ reference.T  # (T, T_r)
    return cosines.max(axis=1), cosines.max(axis=0)


def _flag(
    output: str, references: Sequence[str], ids: Mapping[str, list[int]], encoder: Encoder
) -> int:
    special = {encoder.cls_id, encoder.sep_id}
    if special.issuperset(ids[output]):
        return BLANK_OUTPUT
    if all(special.issuperset(ids[text]) for text in references):
        return BLANK_REFERENCE
    return CUT if max(len(ids[t]) for t in (output, *references)) >= encoder.max_length else 0


def _join(arrays: Sequence[Any], dtype: type[np.generic]) -> NDArray[np.generic]:
    return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype)


def _ordinary(ids: Ints, special: Ints) -> Floats:
    """(n,) 0 for the special tokens, (n, 2) ids of them, and 1 for all others."""
    return np.asarray((ids[:, None] != special).all(axis=1), np.float64)


def _repeat_segments(lengths: Ints, which: Ints) -> Ints:
    """Indices of the segments `which`, one after the other; segment k has `lengths[k]` entries."""
    starts = np.cumsum(lengths) - lengths
    taken = lengths[which]
    first = np.cumsum(taken) - taken
    return np.asarray(np.arange(int(taken.sum())) + np.repeat(starts[which] - first, taken))


def _weighted_means(values: NDArray[np.generic], weights: Floats, lengths: Ints) -> Floats:
    """(n_segments,) weighted mean of each segment; NaN where nothing weighs."""
    segment = np.repeat(np.arange(len(lengths)), lengths)
    total = np.bincount(segment, values.astype(np.float64) * weights, len(lengths))
    weight = np.bincount(segment, weights, len(lengths))
    means: Floats = np.divide(total, weight, out=np.full(len(lengths), np.nan), where=weight > 0)
    return means


def _warnings(void: NDArray[np.bool_], params: BERTScoreParams) -> tuple[Sentence, ...]:
    if not params.idf or not void.any():
        return ()
    return (
        Sentence(
            "{void} of {pairs} pairs have no token of positive idf (blank, or made of tokens that "
            "every reference contains) and scored 0",
            void=int(void.sum()),
            pairs=len(void),
        ),
    )


METRIC = Metric(
    name="bertscore",
    version=1,
    about="Similarity to references by greedy matching of contextual token vectors.",
    formula=(
        "P = Σᵢ w(xᵢ) maxⱼ cos(xᵢ, yⱼ) / Σᵢ w(xᵢ), R likewise of the reference, F1 = 2PR / (P + R)"
    ),
    avoid=(
        "Facts: a wrong number, name or negation hardly changes it. Values of different "
        "encoders or layers do not compare."
    ),
    params=BERTScoreParams,
    reads=("output", "references"),
    needs=("references",),
    scores=(
        Score("bertscore_p", True, -1.0, 1.0, "Precision: are the output's tokens backed?"),
        Score("bertscore_r", True, -1.0, 1.0, "Recall: are the reference's tokens covered?"),
        Score("bertscore_f1", True, -1.0, 1.0, "Harmonic mean of precision and recall."),
    ),
    interval="bootstrap_t",
    source=Source(
        paper="Zhang et al. 2020, BERTScore: Evaluating Text Generation with BERT, ICLR",
        reference="bert-score 0.3.13",
    ),
    measure=measure,
    plan=plan,
    settle=settle,
    reduce=mean,
    models=lambda params: (params.model,),
    model_kind="encoder",
    libraries=("bert-score", "transformers"),
    flags={
        BLANK_OUTPUT: Flag("the output has no tokens and scored 0", missing=False),
        BLANK_REFERENCE: Flag("no reference has tokens: scored 0", missing=False),
        CUT: Flag("a text fills the model's window; what lies beyond was not read", missing=False),
    },
    cached=True,
)
