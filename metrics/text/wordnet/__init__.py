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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

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


@dataclass(frozen=True, slots=True)
class PartOfSpeech:
    """Synsets of one part of speech.

    synsets    members, parted by a space
    places     of a lower-cased word: where its synsets stand
    irregular  of an irregular form: its base forms
    endings    what makes base forms of regular ones
    """

    synsets: Sequence[str]
    places: Mapping[str, Sequence[int]]
    irregular: Mapping[str, Sequence[str]]
    endings: Sequence[tuple[str, str]]

    def members(self, word: str) -> Iterator[str]:
        """Synonyms of a lower-cased word, repeats included."""
        for form in (word, *self._bases(word)):
            for place in self.places.get(form, ()):
                yield from self.synsets[place].split()

    def _bases(self, word: str) -> Sequence[str]:
        if word in self.irregular:
            return self.irregular[word]
        return [
            word[: len(word) - len(ending)] + base
            for ending, base in self.endings
            if word.endswith(ending)
        ]


def synonyms(word: str) -> frozenset[str]:
    """Lower-case synonyms of a lower-cased word; most often it is one of them.

    The last 4,096 words are remembered, by all threads.
    """
    return _found(word) if len(word) <= LONGEST else frozenset()


@lru_cache(maxsize=1 << 12)
def _found(word: str) -> frozenset[str]:
    found = {member for part in _parts() for member in part.members(word)}
    return frozenset(member for member in found if member == member.lower())


@cache
def _parts() -> tuple[PartOfSpeech, ...]:
    """0.5 s and 25 MB, once; nothing of it is changed afterwards, so threads may share it."""
    packed = files(__name__).joinpath("table.xz").read_bytes()
    blocks = [block.splitlines() for block in lzma.decompress(packed).decode().split("\n\n")]
    return tuple(
        PartOfSpeech(synsets, _places(synsets), _irregular(forms), endings)
        for synsets, forms, endings in zip(blocks[::2], blocks[1::2], ENDINGS, strict=True)
    )


def _places(synsets: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, synset in enumerate(synsets):
        for member in synset.lower().split():
            places.setdefault(member, []).append(place)
    return places


def _irregular(lines: Sequence[str]) -> dict[str, list[str]]:
    return {form: bases for form, *bases in map(str.split, lines)}
