"""How many n-grams of an output occur in its references, for many texts at once.

Exact: n-grams are ranked by sorting, never hashed. An n-gram counts as often as it occurs in the
output, but at most as often as in the reference that has most of it (Papineni et al., 2002).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from metrics.evidence.columns import Column
from metrics.evidence.declaration import Ints
from metrics.text.passages import spans


def intern(tokens: Iterable[str]) -> Ints:
    """Equal tokens get equal numbers, counted from 0."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    found: Ints = np.fromiter(map(numbers.__getitem__, tokens), np.int64)
    return found


def count(lengths: Ints, order: int) -> Ints:
    """(n_texts, order) how many n-grams texts of these lengths have."""
    return np.maximum(lengths[:, None] - np.arange(order), 0)


def matches(texts: Column, outputs: Ints, references: Ints, owner: Ints, order: int) -> Ints:
    """(n_items, order) clipped matches of n-grams up to `order`.

    texts are ragged numbers; the rest indexes them as in `Passages`. Only n-grams whose two
    (n-1)-grams matched are looked at, so that higher orders sort less and less.
    """
    items = len(outputs)
    found = np.zeros((items, order), np.int64)
    passages = texts.take(np.concatenate([outputs, references]))
    lengths = passages.lengths if passages.lengths is not None else np.zeros(0, np.int64)
    words = passages.values.astype(np.int64)
    if not len(words):
        return found
    slots = np.arange(len(owner)) - np.searchsorted(owner, owner) + 1  # 1, 2, … in each item
    passage = np.repeat(np.arange(len(lengths)), lengths)
    item = np.concatenate([np.arange(items), owner])[passage]
    slot = np.concatenate([np.zeros(items, np.int64), slots])[passage]
    joined = passage[1:] == passage[:-1]  # a word and the next stand in one passage

    at = np.arange(len(words))  # where the n-grams under consideration begin
    keys = item * (int(words.max()) + 1) + words
    gram = np.empty(len(words), np.int64)
    for n in range(order):
        group, groups = _rank(keys)
        clipped = _clip(group, slot[at], groups)
        item_of = np.empty(groups, np.int64)
        item_of[group] = item[at]
        found[:, n] = np.bincount(item_of, clipped, items).astype(np.int64)
        gram.fill(-1)
        gram[at] = np.where(clipped[group] > 0, group, -1)
        at = np.flatnonzero((gram[:-1] >= 0) & (gram[1:] >= 0) & joined)
        if not len(at):
            break
        keys = gram[at] * groups + gram[at + 1]
    return found


def _rank(keys: Ints) -> tuple[Ints, int]:
    """The dense rank of every key, and how many there are."""
    order = np.argsort(keys)
    ordered = keys[order]
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = np.cumsum(np.concatenate([[False], ordered[1:] != ordered[:-1]]))
    return ranks, int(ranks[order[-1]]) + 1


def _clip(group: Ints, slot: Ints, groups: int) -> Ints:
    """(groups,) occurrences in the output, at most those in the best reference."""
    best = np.zeros(groups, np.int64)
    for number in range(1, int(slot.max()) + 1):
        np.maximum(best, np.bincount(group[slot == number], minlength=groups), out=best)
    return np.minimum(np.bincount(group[slot == 0], minlength=groups), best)


def character_matches(texts: list[str], outputs: Ints, references: Ints, order: int) -> Ints:
    """(n_pairs, order) clipped matches of character n-grams; one reference to each output.

    `order` characters, the pair and the side are packed into one 64-bit key, and sorted once: a
    shorter n-gram is a right shift of the same sorted array.
    """
    sizes = np.array([len(text) for text in texts], np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes + order)])
    gap = "\0" * order  # after each text, so that windows never run into the next
    data = "".join([text + gap for text in texts]).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(data, "<u4").astype(np.int64) + 1
    codes[(starts[1:, None] - 1 - np.arange(order)).ravel()] = 0
    seen = np.zeros(int(codes.max(initial=0)) + 1, np.int64)
    seen[codes] = 1
    padded = Column((np.cumsum(seen) - seen[0])[codes], sizes + order)  # 0 stands for the gap

    found = np.zeros((len(outputs), order), np.int64)
    stack = list(spans(sizes[outputs] + sizes[references], 1 << 18))
    while stack:
        low, high = stack.pop()
        sides = np.concatenate([outputs[low:high], references[low:high]])
        part = _packed(padded.take(sides), high - low, order)
        if part is not None:
            found[low:high] = part
        elif high - low > 1:
            middle = (low + high) // 2
            stack += [(low, middle), (middle, high)]
        else:
            plain = Column(padded.take(sides).values, sizes[sides] + order)
            found[low:high] = _unpacked(plain, order)
    return found


def _unpacked(pair: Column, order: int) -> Ints:
    """(1, order) for a pair with too many different characters for a packed key."""
    sides = [side[:-order] for side in pair.split()]
    texts = Column(np.concatenate(sides), np.array([len(side) for side in sides], np.int64))
    return matches(texts, np.array([0]), np.array([1]), np.array([0]), order)


def _packed(padded: Column, pairs: int, order: int) -> Ints | None:
    """(pairs, order), or None where a key would not fit.

    padded  2 * pairs texts of character ranks from 1, outputs before references, each followed by
            `order` zeros
    """
    ranks = padded.values.astype(np.uint64)
    lengths = padded.lengths if padded.lengths is not None else np.zeros(0, np.int64)
    pair = np.repeat(np.tile(np.arange(pairs, dtype=np.uint64), 2), lengths)
    bits = _bits(ranks)
    room = 63 - pairs.bit_length()
    if bits * order > room:
        ranks = _ranks_within(pair.astype(np.int64), ranks.astype(np.int64), pairs)
        bits = _bits(ranks)
        if bits * order > room:
            return None
    width = np.uint64(bits)
    keys = pair
    end = len(ranks) - order
    for n in range(order):
        keys[:end] = (keys[:end] << width) | ranks[n : n + end]
    side = np.repeat(np.array([0, 1], np.uint64), [lengths[:pairs].sum(), lengths[pairs:].sum()])
    keys = ((keys << np.uint64(1)) | side)[ranks > 0]
    keys.sort()
    return _count_prefixes(keys, pairs, order, width)


def _count_prefixes(keys: NDArray[np.uint64], pairs: int, order: int, width: np.uint64) -> Ints:
    """(pairs, order) from sorted keys: pair, characters, side."""
    found = np.zeros((pairs, order), np.int64)
    if not len(keys):
        return found
    in_reference = (keys & np.uint64(1)).astype(np.int64)
    in_output = 1 - in_reference
    grams = keys >> np.uint64(1)
    last = (np.uint64(1) << width) - np.uint64(1)
    for n in range(order, 0, -1):
        starts = np.flatnonzero(np.concatenate([[True], grams[1:] != grams[:-1]]))
        grams = grams[starts]
        in_reference = np.add.reduceat(in_reference, starts)
        in_output = np.add.reduceat(in_output, starts)
        clipped = np.minimum(in_output, in_reference)
        clipped[(grams & last) == 0] = 0  # shorter than n
        pair = (grams >> (width * np.uint64(n))).astype(np.int64)
        found[:, n - 1] = np.bincount(pair, clipped, pairs).astype(np.int64)
        grams = grams >> width
    return found


def _bits(ranks: NDArray[np.uint64]) -> int:
    return int(ranks.max(initial=0)).bit_length()


def _ranks_within(pair: Ints, ranks: Ints, pairs: int) -> NDArray[np.uint64]:
    """Ranks among the characters of the own pair only: fewer bits where an alphabet is large."""
    seen = np.zeros((pairs, int(ranks.max()) + 1), np.int32)
    seen[pair, ranks] = 1
    seen[:, 0] = 0
    return np.cumsum(seen, axis=1, dtype=np.int32)[pair, ranks].astype(np.uint64) * (ranks > 0)
