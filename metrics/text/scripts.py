"""Which script a text is written in."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache


def count_letters(texts: Iterable[str]) -> Counter[str]:
    """How many letters of each script: {"LATIN": 120, "CYRILLIC": 3, "CJK": 1}."""
    characters: Counter[str] = Counter()
    for text in texts:
        characters.update(text)
    letters: Counter[str] = Counter()
    for character, times in characters.items():
        if character.isalpha():
            letters[_script(character)] += times
    return letters


def main_script(texts: Iterable[str]) -> str | None:
    """The script of most letters; None where there are no letters."""
    letters = count_letters(texts)
    return max(letters, key=lambda script: letters[script]) if letters else None


def mostly_latin(texts: Iterable[str]) -> bool:
    """Whether at least half of all letters are Latin; texts without letters count as Latin."""
    letters = count_letters(texts)
    return 2 * letters["LATIN"] >= letters.total()


@lru_cache(maxsize=4096)  # of single characters
def _script(character: str) -> str:
    """The first word of the character's Unicode name: its script, for letters."""
    first = unicodedata.name(character, "UNKNOWN").split(" ", 1)[0].split("-", 1)[0]
    return "LATIN" if first == "FULLWIDTH" else first
