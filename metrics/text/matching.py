"""METEOR's alignment of words: which word of an output stands for which word of a reference.

As NLTK 3.10 does it, so that the numbers are NLTK's: equal words first, then equal stems, then
synonyms of stems; each from the end of the output, with the last free word of the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from itertools import pairwise

Pairs = list[tuple[int, int]]


def align(
    output: Sequence[str],
    reference: Sequence[str],
    stem: Callable[[str], str],
    synonyms: Callable[[str], Set[str]] | None,
) -> Pairs:
    """Places of matched words in output and reference, in the output's order; synonyms: or none."""
    pairs, left, free = _equal(output, reference, range(len(output)), range(len(reference)))
    if left and free:
        stems = {at: stem(output[at]) for at in left}, {at: stem(reference[at]) for at in free}
        more, left, free = _equal(*stems, left, free)
        pairs += more
        if left and free and synonyms is not None:
            pairs += _alike(*stems, left, free, synonyms)
    return sorted(pairs)


def chunks(pairs: Pairs) -> int:
    """Runs of words that stand side by side in both texts; of no pairs 1."""
    return 1 + sum([(i + 1, j + 1) != following for (i, j), following in pairwise(pairs)])


Words = Sequence[str] | Mapping[int, str]  # by their places


def _equal(
    output: Words, reference: Words, outputs: Sequence[int], references: Sequence[int]
) -> tuple[Pairs, list[int], list[int]]:
    """Pairs of equal words among those at some ascending places, and the places left over."""
    last, before = _places(reference, references)
    pairs: Pairs = []
    left: list[int] = []
    for at in reversed(outputs):
        word = output[at]
        place = last.get(word, -1)
        if place < 0:
            left.append(at)
        else:
            pairs.append((at, place))
            last[word] = before.get(place, -1)
    taken = {place for _, place in pairs}
    return pairs, left[::-1], [at for at in references if at not in taken]


def _places(words: Words, places: Sequence[int]) -> tuple[dict[str, int], dict[int, int]]:
    """Where each word stands last; and for a place that is not its word's first, the one before."""
    last: dict[str, int] = {}
    before: dict[int, int] = {}
    for at in places:
        word = words[at]
        if word in last:
            before[at] = last[word]
        last[word] = at
    return last, before


def _alike(
    output: Words,
    reference: Words,
    outputs: Sequence[int],
    references: Sequence[int],
    synonyms: Callable[[str], Set[str]],
) -> Pairs:
    """Each word of the output with the last free word of the reference that is its synonym."""
    last, before = _places(reference, references)
    pairs: Pairs = []
    for at in reversed(outputs):
        word = output[at]
        alike = [last[word]] if word in last else []
        alike += [last[other] for other in last.keys() & synonyms(word)]
        if alike:
            best = max(alike)
            other = reference[best]
            pairs.append((at, best))
            if best in before:
                last[other] = before[best]
            else:
                del last[other]
    return pairs
