"""METEOR's alignment of words: which word of a reference stands for which word of an output.

As NLTK 3.10 does it, so that the numbers are NLTK's: equal words first, then equal stems, then
synonyms of stems; each from the end of the output, with the last free word of the reference. The
last of equal words thus goes with the last, the one before with the one before, and one sort finds
those of many pairs of texts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import numpy as np

from metrics.core.evidence import Column
from metrics.core.rows import Ints
from metrics.text.ngrams import numbered

NONE = -1  # no word

Word = tuple[int, int, str]  # where it stands, its pair of texts, its stem


def align(
    texts: Column,
    vocabulary: Sequence[str],
    stem: Callable[[str], str],
    synonyms: Callable[[str], Collection[str]] | None,
) -> Ints:
    """(n_words,) where each word's match stands in the other text, or NONE.

    The texts are outputs and, behind them, a reference to each, of numbers of the vocabulary's
    words. Pairs times words times different words stay below 2^63.
    """
    pairs, words = texts.count // 2, texts.values.astype(np.int64)
    pair = np.repeat(np.arange(texts.count) % max(pairs, 1), texts.sizes)
    border = int(texts.offsets[pairs])  # where the references begin
    matches, free = np.full(len(words), NONE), np.arange(len(words))
    _match(matches, *_equal(pair * len(vocabulary) + words, free, border))

    free = np.flatnonzero(matches == NONE)
    numbers, stems = _stems(words, free, vocabulary, stem)
    _match(matches, *_equal(pair * len(stems) + numbers, free, border))
    if synonyms is None:
        return matches

    def found(places: Ints) -> Iterator[Word]:
        named = [stems[number] for number in numbers[places].tolist()]
        return zip(places.tolist(), pair[places].tolist(), named, strict=True)

    free = np.flatnonzero(matches == NONE)
    outputs, references = found(free[free < border][::-1]), found(free[free >= border])
    _match(matches, *_alike(outputs, references, synonyms))
    return matches


def chunks(texts: Column, matches: Ints) -> tuple[Ints, Ints]:
    """Of texts as `align` has them: how many words of each output have a match (n_pairs,), and how
    many runs of them stand side by side in both texts (n_pairs,)."""
    pairs = texts.count // 2
    pair = np.repeat(np.arange(pairs), texts.sizes[:pairs])
    places = matches[: len(pair)]
    matched = places != NONE
    begins = matched.copy()
    begins[1:] &= (places[1:] != places[:-1] + 1) | (pair[1:] != pair[:-1])
    counts = (np.bincount(pair[chosen], minlength=pairs) for chosen in (matched, begins))
    return next(counts), next(counts)


def _match(matches: Ints, one: Ints, other: Ints) -> None:
    matches[one], matches[other] = other, one


def _equal(keys: Ints, free: Ints, border: int) -> tuple[Ints, Ints]:
    """Places of words with equal keys, among those at the `free` places: of outputs, and of their
    references."""
    bits = len(free).bit_length()
    packed = keys[free] << bits | np.arange(len(free))  # sorted as one number: sooner done
    packed.sort()
    places, ordered = free[packed & ((1 << bits) - 1)], packed >> bits
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))  # of groups: outputs, then references
    sizes = np.diff(starts, append=len(free))
    before = np.concatenate([[0], np.cumsum(places < border)])
    of_outputs = before[starts + sizes] - before[starts]
    of_references = sizes - of_outputs
    shared = np.minimum(of_outputs, of_references)
    firsts = starts + of_outputs - shared - (np.cumsum(shared) - shared)
    one = np.repeat(firsts, shared) + np.arange(int(shared.sum()))
    return places[one], places[one + np.repeat(of_references, shared)]


def _stems(
    words: Ints, free: Ints, vocabulary: Sequence[str], stem: Callable[[str], str]
) -> tuple[Ints, list[str]]:
    """(n_words,) the numbers of the stems of words at the `free` places; and those stems."""
    distinct, inverse = np.unique(words[free], return_inverse=True)
    of_distinct, stems = numbered(map(stem, map(vocabulary.__getitem__, distinct.tolist())))
    numbers = np.zeros(len(words), np.int64)
    numbers[free] = of_distinct[inverse]
    return numbers, stems


def _alike(
    outputs: Iterable[Word],
    references: Iterable[Word],
    synonyms: Callable[[str], Collection[str]],
) -> tuple[Ints, Ints]:
    """Places of words of outputs, the last first, and of their synonyms in the references; a word
    has no equal in the other text."""
    last: defaultdict[int, dict[str, int]] = defaultdict(dict)  # of each pair's free words
    before: dict[int, int] = {}  # where the word at a place stands before that
    for place, pair, word in references:
        if word in last[pair]:
            before[place] = last[pair][word]
        last[pair][word] = place
    found: list[int] = []
    for place, pair, word in outputs:
        free, others = last[pair], synonyms(word)
        if free.keys().isdisjoint(others):  # as they mostly are
            continue
        best, synonym = max((free[other], other) for other in others if other in free)
        found += place, best
        if best in before:
            free[synonym] = before[best]
        else:
            del free[synonym]
    matched = np.array(found, np.int64)
    return matched[::2], matched[1::2]
