"""Prequential code length: what a set of texts costs a model that learns from them as it reads.

Conventions
- The samples are read in blocks that grow by `growth`. Each block is coded by a network that was
  trained on the blocks before, then the network is trained on all so far; the first block is coded
  by an untrained one, at log2(257) bits a symbol. Symbols are UTF-8 bytes and the end of a text.
- `prequential_code_length` is the sum, in bits: a description length of the whole set, the model's
  own included, as nothing was learnt from what was not yet paid for. It grows with the set.
  `prequential_bits_per_byte` is the same over bytes.
- Both are means over `repeats` networks, which begin alike and are trained in batches of their own.
  The first reads the samples in their order, each other one in an order of its own. Five take 2.5
  to 4.3 times as long as one; the error of one alone lacks what it happens to learn from first.
- The less there is to learn beyond what was said already, the shorter: a set that repeats itself
  costs little. Another `seed` begins with other weights, and gives another number.
- The networks are small (embeddings of the `context` bytes before, one hidden layer) and are
  trained on the CPU; other processors and numbers of threads differ in last digits. Sets of
  more than `max_bytes` are refused.
- `text: reference` reads the references, once each. An empty text costs its end.
- Costs fall as a network learns. A sample's row is therefore what it cost beyond the mean of its
  block, what so many symbols cost in the last third, and an equal share of what learning cost: what
  the set would lose without it. To the jackknife of these the variance over repeats is added. Both
  are of networks that begin as `seed` has it.

Dawid: Prequential Analysis (1984). Blier, Ollivier: The Description Length of Deep Learning Models
(NeurIPS 2018).

Example
    >>> METRIC.bind().reduce(np.array([2400.0, 1000.0])).tolist()  # 2,400 bits of 1,000 bytes
    [2.4, 2400.0]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from inference.errors import InputError
from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Metric, Params, Score, Source, settle_only
from metrics.core.read_text import needs, texts_of
from metrics.core.rows import Floats, Ints, Settled


class PrequentialParams(Params):
    """Which texts, and what learns from them."""

    text: Literal["output", "reference"] = "output"
    context: int = settle_only(8, ge=1, le=64, description="bytes before that the network sees")
    width: int = settle_only(128, ge=1, le=1024, description="of its hidden layer")
    first: int = settle_only(256, ge=1, description="symbols of the first block")
    growth: float = settle_only(1.5, ge=1.1, le=10, description="of what was read, block by block")
    epochs: int = settle_only(4, ge=1, le=32, description="over all that was read, a block")
    seed: int = settle_only(0, ge=0, le=2**31, description="of the networks and their training")
    repeats: int = settle_only(
        5, ge=1, le=100, description="Networks whose mean is the value, whose variance its error's"
    )
    max_bytes: int = settle_only(1_000_000, ge=1, le=10_000_000, description="refused beyond")


def measure(items: Sequence[Item], params: PrequentialParams, models: Models) -> Evidence:
    """`bytes` of each item's texts, one after the other, `ends` of each text, both ragged."""
    texts = [[one.encode() for one in texts_of(item, params)] for item in items]
    joined = [np.frombuffer(b"".join(some), np.uint8) for some in texts]
    ends = [np.cumsum([len(one) for one in some], dtype=np.int64) for some in texts]
    return Evidence.of_ragged({"bytes": joined, "ends": ends})


def settle(evidence: Evidence, unit: Ints, params: PrequentialParams) -> Settled:
    """Rows (bits, bytes) of each unit: what the set would lose without it, and its share of what
    learning cost."""
    from inference.online import code_lengths

    size = int(evidence.lengths("bytes").sum())
    if size > params.max_bytes:
        large = "{size} bytes of text, more than {most}"
        raise InputError(Sentence(large, size=size, most=params.max_bytes), "params.max_bytes")
    texts, owner = _texts(evidence, unit, once=params.text == "reference")
    rows = np.zeros((int(unit.max(initial=-1)) + 1, 2))
    if not texts:
        return Settled(rows)
    shape = params.context, params.width, params.first, params.growth, params.epochs
    code = code_lengths(texts, *shape, params.seed, params.repeats)
    sizes = np.array([len(text) for text in texts])
    begins = np.cumsum(sizes + 1) - (sizes + 1)
    own = [marginal(*one) for one in zip(code.bits, code.blocks, strict=True)]
    bits = np.add.reduceat(np.mean(own, axis=0), begins)
    lengths = code.bits.sum(1)  # (R,) of the whole set
    bits += (lengths.mean() - bits.sum()) / len(texts)
    np.add.at(rows, owner, np.column_stack([bits, sizes]))
    if params.repeats == 1:
        return Settled(rows)
    values = reduce(np.column_stack([lengths, np.full(len(lengths), sizes.sum())]), params)
    variance = values.var(axis=0, ddof=1) / params.repeats
    return Settled(rows, variance=np.nan_to_num(variance), freedom=params.repeats - 1)


def marginal(bits: Floats, blocks: Ints) -> Floats:
    """(N,) what a network's code would lose without each symbol: what is above the mean of its
    block, which tells how far it had learnt by then, and the mean of the last third it read."""
    count = np.bincount(blocks)
    means = np.bincount(blocks, bits) / count
    late = np.maximum(np.cumsum(count) - 2 * len(bits) / 3, 0)  # symbols of the third, up to each
    return bits - means[blocks] + np.average(means, weights=np.diff(late, prepend=0.0))


def _texts(evidence: Evidence, unit: Ints, once: bool) -> tuple[list[bytes], list[int]]:
    """Texts in their order, and the unit of each; `once`: of a unit's first item alone."""
    data, texts, owner, read = evidence["bytes"], [], [], set[int]()
    begins = evidence.columns["bytes"].offsets[:-1]
    for item, (begin, ends) in enumerate(zip(begins, _split(evidence, "ends"), strict=True)):
        if once and int(unit[item]) in read:
            continue
        read.add(int(unit[item]))
        at = 0
        for end in ends.tolist():
            texts.append(data[begin + at : begin + end].tobytes())
            owner.append(int(unit[item]))
            at = end
    return texts, owner


def _split(evidence: Evidence, column: str) -> list[Ints]:
    cuts = evidence.columns[column].offsets[1:-1]
    return np.split(np.asarray(evidence[column], np.int64), cuts)


def reduce(sums: Floats, params: PrequentialParams) -> Floats:
    """(..., 2) bits and bytes -> (..., 2) bits per byte, bits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([sums[..., 0] / sums[..., 1], sums[..., 0]], axis=-1)


METRIC = Metric(
    name="prequential_code_length",
    version=2,
    about="Bits of a set of texts for a small model that is trained on them as it reads.",
    formula="Σ over blocks of −log2 p(block | trained on the blocks before)",
    avoid=(
        "Sets of unlike size or order, and small ones: most bits are the price of learning. "
        "It tells how much there is to learn, not whether that is any good."
    ),
    params=PrequentialParams,
    reads=("output", "references"),
    needs=needs,
    scores=(
        Score("prequential_bits_per_byte", False, about="the code's bits over bytes"),
        Score("prequential_code_length", False, about="bits of the whole set"),
    ),
    interval="jackknife",
    source=Source(
        "Dawid 1984, doi:10.2307/2981683; Blier and Ollivier 2018, arXiv:1802.07044",
        "own definition",
    ),
    measure=measure,
    settle=settle,
    reduce=reduce,
    set_level=True,
    bulky=True,
    libraries=("torch",),
)
