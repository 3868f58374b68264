"""Texts made comparable before they are compared, and cut into words, in any script.

squad    SQuAD 1.1's: lower case, no ASCII punctuation, no English articles, single spaces
unicode  NFKC, case folded, no punctuation of any script, single spaces; nothing is English here
none     the text as it is
"""

from __future__ import annotations

import re
import string
import unicodedata
from typing import Literal

Normalization = Literal["none", "unicode", "squad"]

_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ENGLISH_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_SIGN = re.compile(r"[^\w\s]|_")  # all punctuation, and some more: few characters to look up
# Scripts written without spaces between words: each character stands for a word.
# Han, kana, and their compatibility forms; Thai, Lao, Khmer and Burmese are left whole.
_SPACELESS = re.compile(
    "([\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff])"
)


def normalize(text: str, how: Normalization) -> str:
    """The text, normalised `how`; see the module's docstring."""
    if how == "none":
        return text
    if how == "squad":
        bare = text.lower().translate(_ASCII_PUNCTUATION)
        return " ".join(_ENGLISH_ARTICLES.sub(" ", bare).split())
    # case folding can undo the composition, hence NFKC on both sides (Unicode 5.18, NFKC_Casefold)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if folded.isascii():
        return " ".join(folded.translate(_ASCII_DROPPED).split())
    return " ".join(_SIGN.sub(_unless_punctuation, folded).split())


def words(text: str, spaceless: bool) -> list[str]:
    """Words between white space; with `spaceless`, each Han or kana character is one of its own."""
    return (_SPACELESS.sub(r" \1 ", text) if spaceless else text).split()


def _unless_punctuation(sign: re.Match[str]) -> str:
    return "" if _is_punctuation(sign[0]) else sign[0]


def _is_punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] == "P"


_ASCII_DROPPED = {ord(char): None for char in string.punctuation if _is_punctuation(char)}
