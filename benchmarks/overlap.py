"""METEOR against NLTK: English news segments, tokenized alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import Pairs, english
from metrics import find
from metrics.core.rows import Floats


def rows(scale: float) -> Iterator[Row]:
    yield _meteor(max(2, int(2000 * scale)))


def _meteor(count: int) -> Row:
    inputs = [english(count, seed) for seed in range(ROUNDS)]
    params = {"tokenizer": "whitespace", "language": "english"}

    def ours(pairs: Pairs) -> Floats:
        return rows_of(find("meteor").bind(params), pairs.samples)[:, 0]

    ours(english(1, 9))  # the table is read once in a worker's life
    found = in_turns(inputs, ours, _nltk_meteor)
    difference = max(furthest(a, b) for a, b in found.results)
    return ratio(
        f"METEOR, {count} segments, against NLTK given our table",
        found,
        2.0,
        f"every value, largest difference {difference:.1g}",
        agrees=difference == 0,
    )


@dataclass(frozen=True)
class Synset:
    """A synset of one word, as NLTK asks for it."""

    word: str

    def lemmas(self) -> list[Synset]:
        return [self]

    def name(self) -> str:
        return self.word


class WordNet:
    """Our synonyms: faster than NLTK's own reader, which wants files that no package has."""

    def synsets(self, word: str) -> list[Synset]:
        from metrics.text.wordnet import _found

        return [Synset(one) for one in _found.__wrapped__(word)]  # NLTK's remembers none


def _nltk_meteor(pairs: Pairs) -> list[float]:
    from nltk.translate.meteor_score import meteor_score

    return [
        meteor_score([reference.split()], output.split(), wordnet=WordNet())
        for output, reference in zip(pairs.outputs, pairs.references, strict=True)
    ]
