"""METEOR's alignment of words: which word of an output stands for which word of a reference.

As NLTK 3.10 does it, so that the numbers are NLTK's: equal words first, then equal stems, then
synonyms of stems; each from the end of the output, with the last free word of the reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence, Set
from itertools import pairwise

Pairs = list[tuple[int, int]]
Words = list[tuple[int, str]]  # with where they stand


def align(
    output: Sequence[str],
    reference: Sequence[str],
    stem: Callable[[str], str],
    synonyms: Callable[[str], Set[str]] | None,
) -> Pairs:
    """Places of matched words in output and reference, in the output's order; synonyms: or none."""
    found, left, right = _equal(list(enumerate(output)), list(enumerate(reference)))
    if left and right:
        stems = [[(at, stem(word)) for at, word in words] for words in (left, right)]
        more, left, right = _equal(*stems)
        found += more
    if left and right and synonyms is not None:
        found += _alike(left, right, synonyms)
    return sorted(found)


def chunks(pairs: Pairs) -> int:
    """Runs of words that stand side by side in both texts; of no pairs 1."""
    return 1 + sum([(i + 1, j + 1) != following for (i, j), following in pairwise(pairs)])


def _places(words: Words) -> defaultdict[str, list[int]]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, word in words:
        places[word].append(at)
    return places


def _equal(output: Words, reference: Words) -> tuple[Pairs, Words, Words]:
    """Pairs of equal words, and the words that are left over on either side."""
    places = _places(reference)
    pairs: Pairs = []
    left: Words = []
    for at, word in reversed(output):
        free = places.get(word)
        if free:
            pairs.append((at, free.pop()))
        else:
            left.append((at, word))
    taken = {place for _, place in pairs}
    return pairs, left[::-1], [(at, word) for at, word in reference if at not in taken]


def _alike(output: Words, reference: Words, synonyms: Callable[[str], Set[str]]) -> Pairs:
    """Each word of the output with the last free word of the reference that is its synonym."""
    places = _places(reference)
    pairs: Pairs = []
    for at, word in reversed(output):
        alike = [other for other in (word, *synonyms(word)) if other in places]
        if alike:
            best = max(alike, key=lambda other: places[other][-1])
            pairs.append((at, places[best].pop()))
            if not places[best]:
                del places[best]
    return pairs
