"""Words in any script, and their stems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from typing import Protocol

# The Snowball stemmer to use for a script, where one language stands for it.
LANGUAGE_OF_SCRIPT = {
    "LATIN": "english",
    "CYRILLIC": "russian",
    "GREEK": "greek",
    "ARABIC": "arabic",
    "ARMENIAN": "armenian",
    "DEVANAGARI": "hindi",
    "TAMIL": "tamil",
}

_LAST_LETTERS = frozenset("cdegilmnrstuy")  # of the endings that Porter's rules have


class Tokenizer(Protocol):
    """Text to words, as rouge-score and rouge-score-rs have it."""

    def tokenize(self, text: str) -> list[str]:
        """The words, in order."""
        ...


def languages() -> tuple[str, ...]:
    """Languages with a Snowball stemmer."""
    import snowballstemmer

    return tuple(snowballstemmer.algorithms())


def unicode_words(text: str) -> list[str]:
    """Words by the Unicode word boundary rules (UAX #29), case-folded, normalised by NFKC.

    Punctuation and symbols are dropped, but kept inside a word ("don't", "3.50"). Chinese
    characters and kana of the hiragana row are a word each.
    """
    from rouge_score_rs.tokenizers import UnicodeTokenizer

    tokenizer: Tokenizer = UnicodeTokenizer()
    return tokenizer.tokenize(text)


def porter_stem(word: str) -> str:
    """NLTK's Porter stem of a lower-cased word; 16,384 short ones are remembered by all threads."""
    if word[-1:] not in _LAST_LETTERS:
        return word
    return _remembered(word) if len(word) <= 40 else _porter()(word)


@lru_cache(maxsize=1 << 14)
def _remembered(word: str) -> str:
    return _porter()(word)


@cache
def _porter() -> Callable[[str], str]:
    from nltk.stem.porter import PorterStemmer

    stem: Callable[[str], str] = PorterStemmer().stem
    return stem


class Stemmer:
    """Snowball stems of words longer than three characters, as rouge-score's stemmer has it.

    Remembers the stems it has seen: make one for each batch, and none for two threads.
    """

    def __init__(self, language: str) -> None:
        import snowballstemmer

        self._snowball = snowballstemmer.stemmer(language)
        self._stems: dict[str, str] = {}

    def stem(self, word: str) -> str:
        """The stem; the word itself where it has three characters or fewer."""
        if len(word) <= 3:
            return word
        if word not in self._stems:
            self._stems[word] = self._snowball.stemWord(word)
        return self._stems[word]

    def stems(self, words: Iterable[str]) -> Iterator[str]:
        """The stem of each word, in order."""
        return map(self.stem, words)
