"""Texts cut into tokens, in any script.

words       runs of letters, marks, digits and underscores, with apostrophes inside; each Han or
            kana character, and each emoji with all that belongs to it, is a word of its own; other
            punctuation and symbols are dropped
whitespace  what stands between white space
characters  code points that are not white space
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Literal

import numpy as np

from metrics.core.evidence import Column
from metrics.text.ngrams import words

Cut = Literal["words", "whitespace", "characters"]

_ALONE = r"\p{Han}\p{Hiragana}\p{Katakana}"
_LETTERS = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_ALONE}]]+"
_WORDS = (
    rf"(?V1)[{_ALONE}]|{_LETTERS}(?:['’]{_LETTERS})*"
    r"|(?=[\p{Extended_Pictographic}\p{Regional_Indicator}])\X"
)


def cutter(how: Cut, lowercase: bool) -> Callable[[str], Sequence[str]]:
    """Text to its tokens, in order."""
    import regex

    pattern = regex.compile(_WORDS)

    def cut(text: str) -> Sequence[str]:
        cased = text.lower() if lowercase else text
        if how == "words":
            found: list[str] = pattern.findall(cased)
            return found
        return cased.split() if how == "whitespace" else "".join(cased.split())

    return cut


def columns(texts: Iterable[str], how: Cut, lowercase: bool) -> Column:
    """Texts as numbers from 0, equal ones for equal tokens."""
    tokens = list(map(cutter(how, lowercase), texts))
    lengths = np.array(list(map(len, tokens)), np.int64)
    return words(chain.from_iterable(tokens), lengths)
