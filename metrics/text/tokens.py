"""Texts cut into tokens, in any script.

words       runs of letters, marks, digits and underscores, with apostrophes inside; each Han or
            kana character, and each emoji with all that belongs to it, is a word of its own; other
            punctuation and symbols are dropped
whitespace  what stands between white space; as numbers, words are told apart by 64-bit hashes
characters  code points that are not white space
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Literal

import numpy as np

from metrics.core.evidence import Column
from metrics.text.hashing import hash_words, numbers
from metrics.text.ngrams import characters, words

Cut = Literal["words", "whitespace", "characters"]

_ALONE = r"\p{Han}\p{Hiragana}\p{Katakana}"
_LETTERS = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_ALONE}]]+"
_WORDS = (
    rf"(?V1)[{_ALONE}]|{_LETTERS}(?:['’]{_LETTERS})*"
    r"|(?=[\p{Extended_Pictographic}\p{Regional_Indicator}])\X"
)


def cutter(how: Cut, lowercase: bool) -> Callable[[str], Sequence[str]]:
    """Text to its tokens, in order."""
    if how == "words":
        import regex

        found: Callable[[str], Sequence[str]] = regex.compile(_WORDS).findall
    else:
        found = str.split if how == "whitespace" else _solid
    return (lambda text: found(text.lower())) if lowercase else found


def _solid(text: str) -> str:
    return "".join(text.split())


def columns(texts: Iterable[str], how: Cut, lowercase: bool) -> Column:
    """Texts as numbers from 0, equal ones for equal tokens."""
    found = codes(texts, how, lowercase)
    if how != "whitespace":
        return found
    return Column(numbers(found.values.astype(np.uint64, copy=False)), found.lengths)


def codes(texts: Iterable[str], how: Cut, lowercase: bool) -> Column:
    """Texts as `columns` has them, but of numbers of any size: sooner made of white space."""
    if how == "words":
        tokens = list(map(cutter(how, lowercase), texts))
        lengths = np.array(list(map(len, tokens)), np.int64)
        return words(chain.from_iterable(tokens), lengths)
    cased = [text.lower() for text in texts] if lowercase else list(texts)
    if how == "characters":
        return characters(list(map(_solid, cased)))
    return Column(*hash_words(cased))
