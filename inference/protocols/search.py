"""A search over a corpus: Okapi BM25 with words as terms."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from inference.protocols.conversation import Record, prompt_of

K1, B = 1.5, 0.75  # as Robertson and Zaragoza (2009) have them usual
LONGEST_SHOWN = 500  # characters of one text that was found
NOTHING = "nothing was found"


def text_of(record: Record) -> str:
    """What a record of a corpus says: its `text`, or its prompt with its answer."""
    if record.get("text"):
        return str(record["text"])
    answers = record.get("references") or [record.get("completion") or ""]
    return "\n".join(part for part in (prompt_of(record) or "", str(answers[0])) if part)


class Corpus:
    """Texts, by the words in them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        counts = [Counter(_words(text)) for text in texts]
        lengths = [sum(each.values()) for each in counts]
        mean = sum(lengths) / max(len(lengths), 1) or 1.0
        self._norm = [K1 * (1 - B + B * length / mean) for length in lengths]
        self._postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for at, each in enumerate(counts):
            for word, count in each.items():
                self._postings[word].append((at, count))

    def scores(self, query: str) -> dict[int, float]:
        """The score of each text that has a word of the query, by its index."""
        found: dict[int, float] = defaultdict(float)
        for word in set(_words(query)):
            posted = self._postings.get(word, [])
            rarity = math.log(1 + (len(self.texts) - len(posted) + 0.5) / (len(posted) + 0.5))
            for at, count in posted:
                found[at] += rarity * count * (K1 + 1) / (count + self._norm[at])
        return found

    def found(self, query: str, top: int) -> str:
        """The best texts, cut, one below the other with their number; equal ones in their order."""
        scores = self.scores(query)
        best = sorted(scores, key=lambda at: (-scores[at], at))[:top]
        shown = (f"[{n}] {_cut(self.texts[at])}" for n, at in enumerate(best, 1))
        return "\n".join(shown) or NOTHING


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
