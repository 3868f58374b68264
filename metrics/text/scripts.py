"""Which script a text is written in."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

# Thai, Lao, Burmese, Khmer, kana, Han: no spaces stand between words
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


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


def spaceless(texts: Iterable[str]) -> bool:
    """Whether each of the texts is mostly in a script without spaces between words: what cuts at
    spaces takes a sentence for one word. False where there is no text."""
    texts = list(texts)
    return bool(texts) and all(_mostly_spaceless(text) for text in texts)


def _mostly_spaceless(text: str) -> bool:
    if text.isascii():
        return False
    without = len(_SPACELESS.findall(text))
    return without > 0 and 2 * without > sum(map(str.isalpha, text))


@lru_cache(maxsize=4096)  # of single characters
def _script(character: str) -> str:
    """The first word of the character's Unicode name: its script, for letters."""
    first = unicodedata.name(character, "UNKNOWN").split(" ", 1)[0].split("-", 1)[0]
    return "LATIN" if first == "FULLWIDTH" else first
