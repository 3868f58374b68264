"""How many n-grams of each text stand in other texts of the same set, all in one pass.

An n-gram counts as often as it occurs in the text, but at most as often as in the other text that
has most of it: NLTK's modified precision with all others as references. Of each n-gram the two
units of texts that have most of it say what the others of any text have; the third says what is
lost when one of the two is left out. What is left out of others changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.core.rows import Ints


@dataclass(frozen=True, slots=True)
class Lost:
    """Matches that texts (P,) lose without a unit (P,): amounts (P,)."""

    text: Ints
    unit: Ints
    amount: Ints


def shared(
    tokens: NDArray[np.generic], lengths: Ints, unit: Ints, order: int
) -> tuple[Ints, list[Lost]]:
    """(n_texts, order) matches of texts with others; of each order, what is lost without a unit.

    tokens  of all texts, one after the other; lengths (n_texts,)
    unit    (n_texts,) what may be left out together
    """
    matched = np.zeros((len(lengths), order), np.int64)
    lost = []
    text = np.repeat(np.arange(len(lengths)), lengths)
    linked = text[1:] == text[:-1]
    at, keys = np.arange(len(tokens)), np.unique(tokens, return_inverse=True)[1].astype(np.int64)
    for n in range(order):
        gram = np.unique(keys, return_inverse=True)[1].astype(np.int64)
        groups = int(gram.max(initial=-1)) + 1
        matched[:, n], several, one = _matches(gram, text[at], unit, len(lengths), groups)
        lost.append(one)
        held = np.full(len(tokens) + 1, -1, np.int64)  # n-grams of one text alone share no longer
        kept = several[gram]
        held[at[kept]] = gram[kept]
        at = np.flatnonzero((held[:-2] >= 0) & (held[1:-1] >= 0) & linked)
        keys = held[at] * groups + held[at + 1]
    return matched, lost


def _matches(
    gram: Ints, text: Ints, unit: Ints, texts: int, groups: int
) -> tuple[Ints, NDArray[np.bool_], Lost]:
    """(texts,) matches, (groups,) whether several texts have the n-gram, and what may be lost."""
    units = int(unit.max(initial=0)) + 1
    pairs, times = np.unique(gram * texts + text, return_counts=True)
    gram, text = pairs // texts, pairs % texts
    several = np.bincount(gram, minlength=groups) > 1
    within = gram * units + unit[text]
    owners, owner = np.unique(within, return_inverse=True)  # of n-grams: units that have them
    most = np.zeros(len(owners), np.int64)
    np.maximum.at(most, owner, times)
    best, partner, third = _others(owners // units, owners % units, most)
    own, _, _ = _others(within, text, times)  # in another text of the same unit
    found = np.minimum(times, np.maximum(own, best[owner]))
    left = np.minimum(times, np.maximum(own, third[owner]))
    loses = np.flatnonzero(left < found)
    lost = Lost(text[loses], partner[owner][loses], (found - left)[loses])
    return np.bincount(text, found, texts).astype(np.int64), several, lost


def _others(group: Ints, name: Ints, value: Ints) -> tuple[Ints, Ints, Ints]:
    """Of each entry: the largest value among others of its group (0: none), whose it is, and the
    largest without that one too. Where the entry is not among the two largest of the group, the
    last is as large as the first: losing one of those two takes nothing from it.
    """
    order = np.lexsort((value, group))
    ordered, values, names = group[order], value[order], name[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(order) else order
    sizes = np.diff(np.append(-1, ends))
    index = np.repeat(np.arange(len(ends)), sizes)
    top = ends[index]
    place = np.arange(len(order))
    size = sizes[index]
    other = np.where(place == top, np.maximum(top - 1, 0), top)  # the largest that is not this one
    two = place >= top - 1
    best = np.where(size > 1, values[other], 0)
    third = np.where(two, np.where(size > 2, values[np.maximum(top - 2, 0)], 0), best)
    back = np.empty(len(order), np.int64)
    back[order] = place
    return best[back], names[other][back], third[back]


def closest(lengths: Ints, texts: Ints) -> Ints:
    """(n,) of the other texts' lengths the one nearest to each of `texts`, of two the shorter.

    lengths  of all texts that are there, `texts` among them; 0 where there is no other
    """
    known, counts = np.unique(lengths, return_counts=True)
    place = np.searchsorted(known, texts)
    below = np.where(place > 0, known[place - 1], -(2**40))
    above = np.where(place + 1 < len(known), known[np.minimum(place + 1, len(known) - 1)], 2**40)
    nearest = np.where(texts - below <= above - texts, below, above)
    nearest = np.where(counts[place] > 1, texts, nearest)
    return np.where(np.abs(nearest) == 2**40, 0, nearest)
