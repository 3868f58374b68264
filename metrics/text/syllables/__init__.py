"""Syllables of words: English as the CMU Pronouncing Dictionary says, Russian by their vowels.

An English word that the dictionary does not have is counted by a rule: runs of vowels, less a
silent `e`. The rule is right for 90% of the dictionary; `exceptions.txt` has the rest of it, made
by `python -m metrics.text.syllables cmudict.dict` of the dictionary's file (LICENSE.txt).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from metrics.core.rows import Ints

RUSSIAN_VOWELS = re.compile("[аеёиоуыэюя]")
_VOWEL = np.zeros(129, np.bool_)  # of ASCII; what is beyond it, as 128, is none
_VOWEL[[ord(one) for one in "aeiouy"]] = True
_SPLIT = re.compile(  # two syllables
    "ia(?!ls?$|ns?$)|io(?!n)|eo|iu|ua|(?<!q)ue[lnt]|[ye]ing|ism", re.MULTILINE
)
_ENDINGS = ("e", "es", "e's", "ed")  # of words that have a silent one
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
    return int(_by_rule([word])[0])


def of_english(words: Iterable[str]) -> dict[str, int]:
    """What `english` says of each of the words, which hold no white space, together."""
    known, found = _exceptions(), list(words)
    counts = _by_rule(found).tolist()
    return {word: known.get(word) or count for word, count in zip(found, counts, strict=True)}


def of_russian(words: Iterable[str]) -> dict[str, int]:
    """What `russian` says of each of the words."""
    return {word: russian(word) for word in words}


def _by_rule(words: list[str]) -> Ints:
    """(n,) of words without line breaks: a word is a line."""
    lines = "\n".join(["", *words])
    codes = np.frombuffer(lines.encode("utf-32-le", "surrogatepass"), "<u4")
    vowel = _VOWEL[np.minimum(codes, 128)]
    line = np.cumsum(codes == ord("\n"))
    counts = np.bincount(line[1:][vowel[1:] & ~vowel[:-1]], minlength=len(words) + 1)
    splits = [split.start() for split in _SPLIT.finditer(lines)]
    counts += np.bincount(line[splits], minlength=len(words) + 1)
    silent = [
        word.endswith(_ENDINGS) and _SILENT.search(word, max(0, len(word) - 3)) is not None
        for word in words
    ]
    return np.maximum(counts[1:] - np.array(silent, np.int64), 1)


@cache
def _exceptions() -> dict[str, int]:
    lines = Path(__file__).with_name("exceptions.txt").read_text("utf8").splitlines()
    return {word: int(count) for word, count in map(str.split, lines)}
