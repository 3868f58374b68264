"""ROUGE-W and ROUGE-S as Lin's paper writes them down, word by word, in plain loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def wlcs(one: Sequence[object], other: Sequence[object], weight: float) -> float:
    """Lin 2004, section 4."""
    table = [[0.0] * (len(other) + 1) for _ in range(len(one) + 1)]
    runs = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, word in enumerate(one, 1):
        for j, theirs in enumerate(other, 1):
            if word == theirs:
                k = runs[i - 1][j - 1]
                gained = float(k + 1) ** weight - float(k) ** weight
                table[i][j] = table[i - 1][j - 1] + gained
                runs[i][j] = k + 1
            else:
                table[i][j] = max(table[i - 1][j], table[i][j - 1])
    return table[-1][-1]


def rouge_w(output: Sequence[str], reference: Sequence[str], weight: float = 1.2) -> float:
    shared = wlcs(output, reference, weight)
    if not shared:
        return 0.0
    recall: float = (shared / len(reference) ** weight) ** (1 / weight)
    precision: float = (shared / len(output) ** weight) ** (1 / weight)
    return 2 * precision * recall / (precision + recall)


def pairs(words: Sequence[str], skip: int, unigrams: bool) -> Counter[object]:
    """Lin 2004, section 5."""
    found: Counter[object] = Counter()
    for i, first in enumerate(words):
        if unigrams:
            found[first] += 1
        for j in range(i + 1, min(len(words), i + skip + 2)):
            found[first, words[j]] += 1
    return found


def rouge_s(
    output: Sequence[str], reference: Sequence[str], skip: int = 4, unigrams: bool = False
) -> float:
    mine, theirs = (pairs(words, skip, unigrams) for words in (output, reference))
    shared = sum((mine & theirs).values())
    if not shared:
        return 0.0
    precision, recall = shared / sum(mine.values()), shared / sum(theirs.values())
    return 2 * precision * recall / (precision + recall)
