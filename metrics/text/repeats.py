"""How many n-grams of a text stood in it before, for many texts at once.

Exact: n-grams are looked for by hashes, and those that share one are compared word by word.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from metrics.core.evidence import Column
from metrics.core.rows import Ints

ODD = np.uint64(0x9E3779B97F4A7C15)  # its products spread over all bits


def repeated(texts: Column, n: int) -> Ints:
    """(n_texts,) n-grams that equal an earlier one of their text; words are any numbers."""
    text = np.repeat(np.arange(texts.count), texts.sizes)
    words = texts.values.astype(np.uint64)
    starts = np.flatnonzero(text[n - 1 :] == text[: max(0, len(text) - n + 1)])
    keys = text[starts].astype(np.uint64)
    for place in range(n):
        keys = (keys ^ (keys >> np.uint64(29)) ^ words[starts + place]) * ODD
    bits = np.uint64(len(keys).bit_length())  # sorted with their places as one number: sooner done
    keys = (keys >> bits << bits) | np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    same = np.flatnonzero(keys[1:] >> bits == keys[:-1] >> bits)
    places = starts[(keys & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)]
    one, other = places[same], places[same + 1]
    equal = text[one] == text[other]
    for place in range(n):
        equal &= words[one + place] == words[other + place]
    if not equal.all():
        return _one_by_one(texts, n)
    return np.bincount(text[one], minlength=texts.count)


def _one_by_one(texts: Column, n: int) -> Ints:
    """Where different n-grams share a hash."""
    found = np.zeros(texts.count, np.int64)
    offsets = texts.offsets.tolist()
    for at, (low, high) in enumerate(pairwise(offsets)):
        words = texts.values[low:high].tolist()
        grams = [*zip(*[words[start:] for start in range(n)], strict=False)]
        found[at] = len(grams) - len(set(grams))
    return found
