"""What a text could be asked about: names, numbers and short phrases, by rules without a parser.

name    a run of words with a capital or a digit: "Alexander Pushkin", "6 June 1799", "3.5"
phrase  a run of one to four other words that are no function words; of Chinese and Japanese, two to
        eight characters between particles and marks

Published methods take the entities and noun phrases of a parser of English. Here a phrase may hold
a verb, and a name without capitals is a phrase; where capitals are no sign of a name (German,
Chinese, Arabic), phrases do what names do elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from metrics.questioning.function_words import BETWEEN, FUNCTION_WORDS
from metrics.text.segments import sentences_of

if TYPE_CHECKING:
    import regex

LONGEST_RUN, LONGEST_HAN = 4, 8  # words, characters
SHORTEST = 2  # letters of a phrase
LONGEST = 100  # characters of a candidate
LONGEST_PASSAGE = 1000  # characters of what a question is written from

_HAN = r"\p{Han}\p{Hiragana}\p{Katakana}"
_LETTER = rf"[\p{{L}}--[{_HAN}]]"
_INNER = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_HAN}]]*+"
_WORD = (
    rf"(?V1)(?P<han>[{_HAN}]+)|(?P<number>\p{{N}}+(?:[-.,:/]\p{{N}}+)*{_INNER})"
    rf"|{_LETTER}{_INNER}(?:[-'’]{_LETTER}{_INNER})*"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer that a question may have, and where it stands in its text."""

    text: str
    start: int
    end: int


def candidates(text: str, most: int) -> list[Candidate]:
    """Up to `most` of the text, in its order, each wording once.

    Names and numbers come before phrases; of more than `most`, some are taken evenly over the text.
    """
    names, phrases = _distinct(text)
    chosen = _spread(names, most)
    chosen += _spread(phrases, most - len(chosen))
    return sorted(chosen, key=lambda one: one.start)


def passage(text: str, candidate: Candidate) -> tuple[str, int]:
    """What a question with that answer is written from, and where the answer stands in it: the
    whole text, or of one of more than LONGEST_PASSAGE characters the sentences around."""
    if len(text) <= LONGEST_PASSAGE:
        return text, candidate.start
    first, last = _around(text, candidate)
    return text[first:last], candidate.start - first


def _around(text: str, candidate: Candidate) -> tuple[int, int]:
    low = max(0, candidate.start - LONGEST_PASSAGE)
    spans, at = [], 0
    window = text[low : candidate.end + LONGEST_PASSAGE]
    for sentence in sentences_of(window):
        begin = window.find(sentence, at)
        if begin < 0:  # its white space was changed
            continue
        at = begin + len(sentence)
        spans.append((low + begin, low + at))
    own = [n for n, (a, b) in enumerate(spans) if a <= candidate.start and candidate.end <= b]
    if not own or spans[own[0]][1] - spans[own[0]][0] > LONGEST_PASSAGE:
        first = max(0, candidate.start - LONGEST_PASSAGE // 2)
        return first, first + LONGEST_PASSAGE
    left = right = own[0]
    grown = True
    while grown:  # a sentence to each side in turn, while there is room
        grown = False
        if left > 0 and spans[right][1] - spans[left - 1][0] <= LONGEST_PASSAGE:
            left, grown = left - 1, True
        if right + 1 < len(spans) and spans[right + 1][1] - spans[left][0] <= LONGEST_PASSAGE:
            right, grown = right + 1, True
    return spans[left][0], spans[right][1]


def _distinct(text: str) -> tuple[list[Candidate], list[Candidate]]:
    """Names and phrases of the text, in order, each wording once."""
    seen: set[str] = set()
    found: tuple[list[Candidate], list[Candidate]] = ([], [])
    for named, start, end in _runs(text):
        key = text[start:end].casefold()
        if end - start <= LONGEST and key not in seen:
            seen.add(key)
            found[0 if named else 1].append(Candidate(text[start:end], start, end))
    return found


def _runs(text: str) -> Iterator[tuple[bool, int, int]]:
    """Whether it is a name, and where it stands, of each run of words of a kind."""
    run: list[tuple[int, int]] = []
    kind: bool | None = None
    for word in _pattern().finditer(text):
        start, end = word.span()
        if word["han"] is not None:
            yield from _whole(text, run, kind)
            run, kind = [], None
            yield from _of_han(text, start, end)
            continue
        own = _kind(word)
        gap = text[run[-1][1] : start] if run else ""
        if own != kind or gap.strip() or "\n" in gap:
            yield from _whole(text, run, kind)
            run = []
        kind = own
        if own is not None:
            run.append((start, end))
    yield from _whole(text, run, kind)


def _kind(word: regex.Match[str]) -> bool | None:
    """True: of a name or number; False: of a phrase; None: a function word."""
    if word["number"] is not None:
        return True
    if word[0].casefold() in FUNCTION_WORDS:
        return None
    first: str = word[0][0]
    return first.isupper()


def _whole(
    text: str, run: list[tuple[int, int]], kind: bool | None
) -> Iterator[tuple[bool, int, int]]:
    if not run or kind is None:
        return
    start, end = run[0][0], run[-1][1]
    if kind or (len(run) <= LONGEST_RUN and end - start > SHORTEST):
        yield kind, start, end


def _of_han(text: str, start: int, end: int) -> Iterator[tuple[bool, int, int]]:
    begin = start
    for at in range(start, end + 1):
        if at == end or text[at] in BETWEEN:
            if SHORTEST <= at - begin <= LONGEST_HAN:
                yield False, begin, at
            begin = at + 1


def _spread(found: list[Candidate], most: int) -> list[Candidate]:
    if len(found) <= most:
        return found
    return [found[at] for at in np.linspace(0, len(found) - 1, max(most, 0)).astype(int)]


@cache
def _pattern() -> regex.Pattern[str]:
    import regex

    return regex.compile(_WORD)
