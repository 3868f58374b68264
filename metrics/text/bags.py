"""Texts as bags of words, and how much two of them share."""

from __future__ import annotations

from collections import Counter

from metrics.text.normalization import Normalization, normalize, words


def bag(text: str, how: Normalization) -> Counter[str]:
    """The words of the text, normalised; under `unicode` each Han or kana character is one."""
    return Counter(words(normalize(text, how), spaceless=how == "unicode"))


def f1(output: Counter[str], reference: Counter[str]) -> float:
    """F1 of two bags of words, 0..1; 0 where they share none, as in SQuAD 1.1."""
    shared = (output & reference).total()
    if shared == 0:
        return 0.0
    precision, recall = shared / output.total(), shared / reference.total()
    return 2 * precision * recall / (precision + recall)


def f1_or_neither(output: Counter[str], reference: Counter[str]) -> float:
    """F1 of two bags of words, 0..1; 1 where both are empty, as in SQuAD 2.0: neither answers."""
    return f1(output, reference) if output or reference else 1.0
