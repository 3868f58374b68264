"""Synonyms of English words: WordNet 3.0, as NLTK reads it, out of a table of 0.4 MB.

A word's synonyms are the members of its synsets and of those of its base forms, as nouns, verbs,
adjectives and adverbs ("went" has those of "go"). Kept are single words; what is written with a
capital, which no lower-cased text has, is looked up and never given.

The table, made by `python -m metrics.text.wordnet`, is lines of parts of speech, each a block that
a blank line ends: the synsets, a line each, then the irregular forms ("went go"). NLTK's own reader
wants 28 MB of files, 5 seconds and 220 MB of memory, and is not safe to share between threads: it
seeks in one open file. WordNet's licence is beside the table, in LICENSE.txt.
"""

from __future__ import annotations

import lzma
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from threading import Lock

# endings of inflected forms, and those of base forms: of nouns, verbs, adjectives, adverbs
ENDINGS: tuple[tuple[tuple[str, str], ...], ...] = (
    (
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    (
        ("s", ""),
        ("ies", "y"),
        ("es", "e"),
        ("es", ""),
        ("ed", "e"),
        ("ed", ""),
        ("ing", "e"),
        ("ing", ""),
    ),
    (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    (),
)
LONGEST = 60  # characters; no word of WordNet is longer

Synsets = Mapping[str, tuple[tuple[str, ...], ...]]

_LOADING = Lock()  # so that threads that start together make one table


@dataclass(frozen=True, slots=True)
class PartOfSpeech:
    """Synsets of one part of speech.

    synsets    of a lower-cased word: those that have it, as their members in lower case
    irregular  of an irregular form: its base forms
    endings    what makes base forms of regular ones
    inflected  how words end that have such a base form
    """

    synsets: Synsets
    irregular: Mapping[str, Sequence[str]]
    endings: Sequence[tuple[str, str]]
    inflected: tuple[str, ...]

    def forms(self, word: str) -> Sequence[str]:
        """A lower-cased word and its base forms."""
        if word in self.irregular:
            return [word, *self.irregular[word]]
        if not word.endswith(self.inflected):
            return [word]
        return [word] + [
            word[: len(word) - len(ending)] + base
            for ending, base in self.endings
            if word.endswith(ending)
        ]


def synonyms(word: str) -> tuple[str, ...]:
    """Lower-case synonyms of a lower-cased word, each once; most often it is one of them.

    The last 16,384 words are remembered, by all threads.
    """
    return _found(word) if len(word) <= LONGEST else ()


@lru_cache(maxsize=1 << 14)
def _found(word: str) -> tuple[str, ...]:
    with _LOADING:
        parts = _parts()
    found: set[str] = set()
    for part in parts:
        for form in part.forms(word):
            found.update(*part.synsets.get(form, ()))
    return tuple(found)  # a quarter of a set's size


@cache
def _parts() -> tuple[PartOfSpeech, ...]:
    """0.3 s and 25 MB, once; nothing of it is changed afterwards, so threads may share it."""
    packed = files(__name__).joinpath("table.xz").read_bytes()
    blocks = [block.splitlines() for block in lzma.decompress(packed).decode().split("\n\n")]
    words: dict[str, str] = {}  # each is one string, however many synsets have it
    return tuple(
        PartOfSpeech(
            _synsets(synsets, words),
            _irregular(forms),
            endings,
            tuple(ending for ending, _ in endings),
        )
        for synsets, forms, endings in zip(blocks[::2], blocks[1::2], ENDINGS, strict=True)
    )


def _synsets(lines: Sequence[str], words: dict[str, str]) -> Synsets:
    synsets: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for line in lines:
        lowered = line.lower().split()
        members = tuple(map(words.setdefault, lowered, lowered))
        if not line.islower():
            members = tuple(one for one in members if one in line.split())
        for word in lowered:
            synsets[word].append(members)
    return {word: tuple(found) for word, found in synsets.items()}  # which no collector visits


def _irregular(lines: Sequence[str]) -> dict[str, list[str]]:
    return {form: bases for form, *bases in map(str.split, lines)}
