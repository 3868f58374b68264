"""Syllables of words: English as the CMU Pronouncing Dictionary says, Russian by their vowels.

An English word that the dictionary does not have is counted by a rule: runs of vowels, less a
silent `e`. The rule is right for 90% of the dictionary; `exceptions.txt` has the rest of it, made
by `python -m metrics.text.syllables cmudict.dict` of the dictionary's file (LICENSE.txt).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

RUSSIAN_VOWELS = re.compile("[аеёиоуыэюя]")
_VOWELS = re.compile("[aeiouy]+")
_SPLIT = re.compile("ia(?!ls?$|ns?$)|io(?!n)|eo|iu|ua|(?<!q)ue[lnt]|[ye]ing|ism")  # two syllables
_SILENT = re.compile(
    "(?<![lyieou])e$|(?<=[aeiouy])le$"
    "|(?<![szxl])(?<!ch)(?<!sh)(?<![gcieou])es$|(?<![eiszxgcl])e's$"
    "|(?<![tdeiou])ed$"
)


def english(word: str) -> int:
    """Syllables of a word in lower case, at least 1."""
    return _exceptions().get(word) or by_rule(word)


def russian(word: str) -> int:
    """Syllables of a word in lower case: 0 where it has no vowel ("в")."""
    return len(RUSSIAN_VOWELS.findall(word))


def by_rule(word: str) -> int:
    """English syllables without the dictionary, at least 1."""
    runs = len(_VOWELS.findall(word)) + len(_SPLIT.findall(word))
    return max(1, runs - (_SILENT.search(word) is not None))


@cache
def _exceptions() -> dict[str, int]:
    lines = Path(__file__).with_name("exceptions.txt").read_text("utf8").splitlines()
    return {word: int(count) for word, count in map(str.split, lines)}
