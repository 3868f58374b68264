"""MoverScore: how little the words of a reference must be moved, in an encoder's space, to become
the output's.

    1 - EMD,   the least Σ f(i, j) |x_i - y_j| that carries the weights of x to those of y

Conventions
    moverscore_v2's: states of the last layer, of unit length, each word piece weighs its IDF over
    the outputs or over the references of the set, log((N + 1) / (c + 1)); pieces inside of a word
    (`##`), punctuation and `stop_words` weigh nothing. So IDF changes with the set and with a slice
    of it; with `idf: false` all others weigh the same, [CLS] and [SEP] too, as there.
    Ours: distances are in double precision, where equal words are at 0 (there at 5e-4 or so). A
    text none of whose pieces weighs by IDF, as in a set of one, has equal weights (there it scores
    1). An output without a word scores -1, the least there is, and is flagged (there 1). References
    without a word are left out; where no other is left, the sample is missing. Words are pieces
    that are kept: "..." has none.
    Several references: the greatest value. Several outputs of a sample are averaged. Texts are cut
    to `max_tokens`, which bounds what is kept of a pair. -1..1, higher is better; equal
    texts score 1 where their words are as rare on either side, as with `idf: false`; where
    unrelated texts lie is the encoder's own. Without `##`, as in XLM-RoBERTa, all
    pieces of a word count.

Zhao et al.: MoverScore (EMNLP 2019).

Example
    >>> bound = METRIC.bind({"idf": False})
    >>> bound.models
    ('builtin/minilm-l6',)
    >>> bound.reduce(np.array([0.9, 2.0])).tolist()  # of two samples: scores, count
    [0.45]
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.batching import plan_by_length, plan_in_order
from inference.errors import InputError
from inference.protocol import DType, Encoder, Models
from metrics.core.evidence import FLAG, Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source, settle_only
from metrics.core.rows import Floats, Ints, Settled, average, mean

BLANK_OUTPUT, BLANK_REFERENCE, CUT = 1, 2, 3
ITEMS_PER_BATCH = 256
BYTES_PER_BATCH = 1 << 18  # of text: bounds the hidden states that stand in memory
ROWS_PER_PASS = 256
LEAST = -1.0
MOST_STEPS = 10_000_000  # of the network simplex; two texts of 256 pieces take some thousand
PUNCTUATION = frozenset(string.punctuation)


class MoverScoreParams(Params):
    """Which states are moved, and what weighs."""

    model: str = Field("builtin/minilm-l6", description="Encoder whose hidden states are compared.")
    dtype: DType = "float32"
    layer: int | None = Field(None, ge=0, description="Hidden layer; null: the last.")
    idf: bool = settle_only(True, description="Weigh by rarity in the set; false: all alike.")
    stop_words: tuple[str, ...] = Field(
        (), max_length=2000, description="Pieces that weigh nothing, as the vocabulary has them."
    )
    max_tokens: int = Field(256, ge=3, le=512, description="To which texts are cut.")


def plan(items: Sequence[Item], params: MoverScoreParams, models: Models) -> list[list[int]]:
    """Runs of items in their order, bounded by bytes of text: no tokenizer is loaded for it."""
    sizes = [sum(len(text.encode()) for text in (i.output, *i.references)) for i in items]
    return plan_in_order(sizes, BYTES_PER_BATCH, ITEMS_PER_BATCH)


def measure(items: Sequence[Item], params: MoverScoreParams, models: Models) -> Evidence:
    """Of every item, with each of its R references that have a word:

    output_ids        (T,)           the pieces of the output that are kept
    reference_ids     (sum T_r,)     those of the references, one after the other
    reference_tokens  (R,)           T_r
    distances         (sum T_r * T,) of every two, reference by reference

    Raises InputError when the model has fewer layers than `layer`.
    """
    encoder = models.encoder(params.model, params.dtype)
    texts = list(dict.fromkeys(text for i in items for text in (i.output, *i.references)))
    found = dict(zip(texts, _texts(texts, params, encoder), strict=True))
    columns: dict[str, list[NDArray[np.generic]]] = {
        name: [] for name in ("output_ids", "reference_ids", "reference_tokens", "distances")
    }
    flags = []
    for item in items:
        output = found[item.output]
        references = [found[text] for text in item.references if found[text].has_words]
        apart = [_distances(one.vectors, output.vectors).ravel() for one in references]
        columns["output_ids"].append(output.ids)
        columns["reference_ids"].append(_join([one.ids for one in references], np.int32))
        columns["reference_tokens"].append(np.array([len(r.ids) for r in references], np.int32))
        columns["distances"].append(_join(apart, np.float32))
        cut = output.cut or any(one.cut for one in references)
        blank = 0 if output.has_words else BLANK_OUTPUT
        flags.append(BLANK_REFERENCE if not references else blank or (CUT if cut else 0))
    return Evidence.of_ragged(columns, {FLAG: np.array(flags, np.uint8)})


class _Text:
    """What is kept of a text: ids (T,), vectors (T, D) of unit length."""

    def __init__(self, ids: Sequence[int], kept: Sequence[int], encoder: Encoder) -> None:
        self.ids = np.array([ids[at] for at in kept], np.int32)
        self.kept = list(kept)
        self.cut = False
        self.has_words = not {encoder.cls_id, encoder.sep_id}.issuperset(self.ids.tolist())
        self.vectors: Floats = np.zeros((0, 0))


def _texts(texts: Sequence[str], params: MoverScoreParams, encoder: Encoder) -> list[_Text]:
    layer = encoder.layers if params.layer is None else params.layer
    if layer > encoder.layers:
        message = f"{params.model} has {encoder.layers} layers, layer {layer} was asked for"
        raise InputError(message, "params.layer")
    longest = min(params.max_tokens, encoder.max_length)
    sequences, found = [], []
    ignored = PUNCTUATION | set(params.stop_words)
    for ids in encoder.encode(texts):
        cut = ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]
        pieces = enumerate(encoder.pieces(cut))
        kept = [at for at, piece in pieces if "##" not in piece and piece not in ignored]
        found.append(_Text(cut, kept, encoder))
        found[-1].cut = len(ids) >= longest
        sequences.append(cut)
    lengths = [len(ids) for ids in sequences]
    for batch in plan_by_length(lengths, encoder.tokens_per_pass, ROWS_PER_PASS):
        states = encoder.hidden([sequences[index] for index in batch], layer)
        for index, one in zip(batch, states, strict=True):
            vectors = one[found[index].kept].astype(np.float64)
            sizes = np.linalg.norm(vectors, axis=1, keepdims=True)
            found[index].vectors = vectors / np.maximum(sizes, 1e-30)
    return found


def _distances(first: Floats, second: Floats) -> NDArray[np.float32]:
    """(n, m) Euclidean, of vectors of unit length (n, D) and (m, D)."""
    squares = 2 - 2 * first @ second.T if len(first) and len(second) else np.zeros(0)
    near = np.where(squares < 1e-12, 0.0, squares)  # roundings of equal vectors
    return np.sqrt(near).astype(np.float32)


def settle(evidence: Evidence, unit: Ints, params: MoverScoreParams) -> Settled:
    """Rows (score with the best reference, 1), averaged over a unit's outputs."""
    first = np.zeros(len(unit), bool)
    first[np.unique(unit, return_index=True)[1]] = True  # a unit's items share its references
    outputs = _split(evidence["output_ids"], evidence.lengths("output_ids"))
    lengths, counts = evidence["reference_tokens"], evidence.lengths("reference_tokens")
    references = _split(evidence["reference_ids"], lengths.astype(np.int64))
    of_outputs: Mapping[int, float] = {}
    of_references: Mapping[int, float] = {}
    if params.idf:
        once = np.repeat(first, counts)
        of_outputs = _weights(outputs)
        of_references = _weights([ids for ids, yes in zip(references, once, strict=True) if yes])
    rows = np.ones((len(evidence), 2))
    distances, at = evidence["distances"].astype(np.float64), 0
    owner = np.repeat(np.arange(len(evidence)), counts)
    rows[:, 0] = LEAST
    silent = evidence[FLAG] == BLANK_OUTPUT
    for pair, item in enumerate(owner.tolist()):
        shape = len(references[pair]), len(outputs[item])
        between = distances[at : at + shape[0] * shape[1]].reshape(shape)
        at += shape[0] * shape[1]
        if not silent[item]:
            weights = _spread(references[pair], of_references), _spread(outputs[item], of_outputs)
            rows[item, 0] = max(rows[item, 0], 1 - moved(*weights, between))
    return Settled(average(rows, unit))


def moved(first: Floats, second: Floats, distances: Floats) -> float:
    """The earth mover's distance of weights (n,) and (m,), each of which add up to 1, over (n, m)
    distances."""
    from ot import emd2

    return float(emd2(first, second, distances, numItermax=MOST_STEPS))


def _split(ids: NDArray[np.generic], lengths: Ints) -> list[list[int]]:
    """The ids of each text."""
    return (
        [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])] if len(lengths) else []
    )


def _weights(texts: Sequence[list[int]]) -> dict[int, float]:
    """log((N + 1) / (c + 1)) of each piece that c of the N texts have."""
    having = Counter(one for ids in texts for one in set(ids))
    return {one: float(np.log((len(texts) + 1) / (c + 1))) for one, c in having.items()}


def _spread(ids: Sequence[int], weights: Mapping[int, float]) -> Floats:
    """(T,) weights that add up to 1."""
    found = np.array([weights.get(one, 0.0) for one in ids])
    if not found.sum() > 0:
        found = np.ones(len(ids))
    return np.asarray(found / found.sum(), np.float64)


def _join(arrays: Sequence[NDArray[np.generic]], dtype: type[np.generic]) -> NDArray[np.generic]:
    return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype)


METRIC = Metric(
    name="moverscore",
    version=1,
    about="How little the words of a reference must be moved to become the output's.",
    formula="1 − EMD of word pieces, weighed by IDF, over distances of their contextual vectors",
    avoid=(
        "Facts: a wrong number, name or negation hardly changes it. Values of different encoders, "
        "and with IDF of different sets, do not compare."
    ),
    params=MoverScoreParams,
    reads=("output", "references"),
    needs=("references",),
    scores=(Score("moverscore", True, LEAST, 1.0, "1 less the distance to the nearest reference"),),
    interval="bootstrap_t",
    source=Source(
        paper="Zhao et al. 2019, https://arxiv.org/abs/1909.02622",
        reference="moverscore 1.0.3 (moverscore_v2)",
    ),
    measure=measure,
    plan=plan,
    settle=settle,
    reduce=mean,
    models=lambda params: (params.model,),
    model_kind="encoder",
    libraries=("pot", "transformers"),
    flags={
        BLANK_OUTPUT: Flag("the output has no word and scored -1", missing=False),
        BLANK_REFERENCE: Flag("no reference has a word: nothing to compare with", missing=True),
        CUT: Flag("a text was cut; what lies beyond was not read", missing=False),
    },
    cached=True,
    bulky=True,
)
