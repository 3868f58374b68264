"""How many n-grams of an output occur in its references, for many texts at once.

Exact: n-grams are ranked by sorting, never hashed. An n-gram counts as often as it occurs in the
output, but at most as often as in the reference that has most of it (Papineni et al., 2002).
Texts are ragged columns of numbers from 0, equal ones for equal words or characters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.core.evidence import Column
from metrics.core.rows import Ints
from metrics.text.passages import spans

Keys = NDArray[np.uint64]
ONE = np.uint64(1)
TABLE = 1 << 22  # entries of the largest table of pairs by words


def words(tokens: Iterable[str], lengths: Ints) -> Column:
    """Texts of words, from all their tokens in order."""
    return Column(numbered(tokens)[0], lengths)


def numbered(tokens: Iterable[str]) -> tuple[Ints, list[str]]:
    """(n_tokens,) numbers from 0, equal ones for equal tokens; and the token of each number."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    found = np.fromiter(map(numbers.__getitem__, tokens), np.int64)
    return found, list(numbers)


def characters(texts: Sequence[str]) -> Column:
    """Texts of characters (code points)."""
    data = "".join(texts).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(data, "<u4").astype(np.int64)
    seen = np.zeros(int(codes.max(initial=0)) + 1, np.int64)
    seen[codes] = 1
    lengths = np.array([len(text) for text in texts], np.int64)
    return Column((np.cumsum(seen) - 1)[codes], lengths)


def count(lengths: Ints, order: int) -> Ints:
    """(n_texts, order) how many n-grams texts of these lengths have."""
    counts: Ints = np.maximum(lengths[:, None] - np.arange(order), 0)
    return counts


def matches(texts: Column, outputs: Ints, references: Ints, owner: Ints, order: int) -> Ints:
    """(n_items, order) clipped matches; the indices are those of `Passages`."""
    if len(owner) == len(outputs):
        return _of_pairs(texts, outputs, references, order)
    return _of_several(texts, outputs, references, owner, order)


def _of_several(texts: Column, outputs: Ints, references: Ints, owner: Ints, order: int) -> Ints:
    """Any number of references.

    Order by order; only n-grams whose two (n-1)-grams matched are looked at.
    """
    items = len(outputs)
    found = np.zeros((items, order), np.int64)
    passages = texts.take(np.concatenate([outputs, references]))
    words = passages.values.astype(np.int64)
    if not len(words):
        return found
    slots = np.arange(len(owner)) - np.searchsorted(owner, owner) + 1  # 1, 2, … in each item
    passage = np.repeat(np.arange(passages.count), np.diff(passages.offsets))
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
        found[:, n] = np.bincount(item_of, clipped, items)
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
    clipped: Ints = np.minimum(np.bincount(group[slot == 0], minlength=groups), best)
    return clipped


def _of_pairs(texts: Column, outputs: Ints, references: Ints, order: int) -> Ints:
    """One reference to each output: several times faster, where n-grams fit into 64 bits.

    The pair, `order` words and the side are packed into one key, and sorted once: a shorter n-gram
    is a right shift of the same sorted array. Pairs are halved into smaller and smaller parts until
    the key fits.
    """
    padded = _pad(texts, order)
    lengths = np.diff(texts.offsets)
    found = np.zeros((len(outputs), order), np.int64)
    parts = list(spans(lengths[outputs] + lengths[references] + 1, 1 << 16))
    while parts:
        low, high = parts.pop()
        sides = np.concatenate([outputs[low:high], references[low:high]])
        part = _packed(padded.take(sides), high - low, order)
        if part is None and high - low > 1:
            middle = (low + high) // 2
            parts += [(low, middle), (middle, high)]
        elif part is None:
            one = slice(low, high)
            found[one] = _of_several(texts, outputs[one], references[one], np.array([0]), order)
        else:
            found[low:high] = part
    return found


def _pad(texts: Column, order: int) -> Column:
    """Numbers from 1, each text followed by `order` zeros: no window runs into the next text."""
    lengths = np.diff(texts.offsets)
    values = np.zeros(len(texts.values) + order * texts.count, np.uint64)
    shifts = np.repeat(np.arange(texts.count) * order, lengths)
    values[np.arange(len(shifts)) + shifts] = texts.values.astype(np.uint64) + ONE
    return Column(values, lengths + order)


def _packed(padded: Column, pairs: int, order: int) -> Ints | None:
    """(pairs, order) for outputs, then their references; None where a key would not fit."""
    ranks = padded.values.astype(np.uint64)
    ends = padded.offsets
    pair = np.repeat(np.tile(np.arange(pairs, dtype=np.uint64), 2), np.diff(ends))
    room = (63 - pairs.bit_length()) // order
    largest = int(ranks.max(initial=0))
    bits = largest.bit_length()
    if bits > room:
        if pairs * largest > TABLE:
            return None
        ranks = _rank_within(pair.astype(np.int64), ranks.astype(np.int64), pairs)
        bits = int(ranks.max(initial=0)).bit_length()
        if bits > room:
            return None
    width = np.uint64(bits)
    keys = pair
    stop = len(ranks) - order
    for n in range(order):
        keys[:stop] = (keys[:stop] << width) | ranks[n : n + stop]
    keys <<= ONE
    keys[ends[pairs] :] |= ONE  # the side
    keys = keys[ranks > 0]
    keys.sort()
    return _count_prefixes(keys, pairs, order, width)


def _count_prefixes(keys: Keys, pairs: int, order: int, width: np.uint64) -> Ints:
    """(pairs, order) from sorted keys: pair, words, side."""
    found = np.zeros((pairs, order), np.int64)
    if not len(keys):
        return found
    seen = np.concatenate([[0], np.cumsum((keys & ONE).astype(np.int64))])  # in references
    bounds = np.arange(len(keys) + 1)  # where in the keys each n-gram begins, and the end
    grams = keys >> ONE
    last = (ONE << width) - ONE
    for n in range(order, 0, -1):
        starts = np.flatnonzero(np.concatenate([[True], grams[1:] != grams[:-1]]))
        grams = grams[starts]
        bounds = np.append(bounds[starts], len(keys))
        in_reference = np.diff(seen[bounds])
        clipped = np.minimum(np.diff(bounds) - in_reference, in_reference)
        clipped[(grams & last) == 0] = 0  # the text ends before the n-th word
        pair = (grams >> (width * np.uint64(n))).astype(np.int64)
        found[:, n - 1] = np.bincount(pair, clipped, pairs)
        grams = grams >> width
    return found


def _rank_within(pair: Ints, ranks: Ints, pairs: int) -> Keys:
    """Ranks among the words of the own pair only: fewer bits where the vocabulary is large."""
    seen = np.zeros((pairs, int(ranks.max()) + 1), np.int32)
    seen[pair, ranks] = 1
    seen[:, 0] = 0  # the padding stays 0
    return np.cumsum(seen, axis=1, dtype=np.int32)[pair, ranks].astype(np.uint64) * (ranks > 0)
