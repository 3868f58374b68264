"""sacrebleu's tokenizers over many lines at once, token for token what sacrebleu 2.6.0 gives.

`13a`, `zh`, `intl`, `char` and `none` are one procedure over classes of characters. The published
regular expressions separate, from left to right and without overlap,

    alone   every such character                                     symbols; in zh ideographs
    point   after a non-digit or before a non-digit                  . and , ; in intl punctuation
    dash    after a digit                                            13a and zh

A run of points is where "without overlap" shows: after a non-digit the 1st, 3rd, … of the run are
separated by the first expression, otherwise the 2nd, 4th, …; and the last of the run stays with a
following digit if it was not among them.

`ja-mecab` and `ko-mecab` call sacrebleu's classes, past their cache: it would keep 65,536 lines of
user text alive.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inference.errors import Unavailable
from inference.sentences import Sentence
from metrics.core.rows import Ints

Name = Literal["13a", "zh", "intl", "char", "none", "ja-mecab", "ko-mecab"]
NEED_A_NETWORK = ("flores101", "flores200", "spm", "spBLEU-1K")  # sacrebleu downloads their models

SPACE, ALONE, POINT, DIGIT, DASH = 1, 2, 4, 8, 16
Mask = NDArray[np.bool_]


def tokenize(lines: Sequence[str], name: Name) -> tuple[list[str], Ints]:
    """All lines' tokens, one after the other, and how many each line has: (n_lines,)."""
    match name:
        case "13a":
            # padded: for 13a a line begins and ends with a space, not with nothing
            return _separate([f" {_unescape(line)} " for line in lines], _classes(name))
        case "zh":
            return _separate([line.strip() for line in lines], _classes(name))
        case "intl" | "char" | "none":
            return _separate(lines, _classes(name))
        case "ja-mecab" | "ko-mecab":
            tagger = _tagger(name)
            split = [tagger(line).split() for line in lines]
            return [token for line in split for token in line], np.array(list(map(len, split)))


def _unescape(line: str) -> str:
    """What mteval-v13a undoes before it tokenizes."""
    line = line.replace("<skipped>", "")
    if "\n" in line:
        line = line.replace("-\n", "").replace("\n", " ")
    if "&" in line:
        for entity, character in ("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"):
            line = line.replace(entity, character)
    return line


def _separate(lines: Sequence[str], classes: NDArray[np.uint8]) -> tuple[list[str], Ints]:
    text = "\n".join(["", *lines, ""])
    lengths = np.array([len(line) for line in lines], np.int64)
    edges = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths + 1)])  # between lines
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    kinds = classes.take(codes)

    before, after = _breaks(kinds, edges)
    split = before.copy()  # a token may begin here, though no space stands before
    split[1:] |= after[:-1]
    solid = (kinds & SPACE) == 0
    begins = solid & split
    begins[1:] |= solid[1:] & ~solid[:-1]

    spaced = np.repeat(codes, 1 + split.astype(np.int64))  # doubled where a space goes before
    inserted = np.flatnonzero(split)
    spaced[inserted + np.arange(len(inserted))] = ord(" ")
    tokens = spaced.tobytes().decode("utf-32-le", "surrogatepass").split()
    return tokens, np.diff(np.cumsum(begins)[edges])


def _breaks(kinds: NDArray[np.uint8], edges: Ints) -> tuple[Mask, Mask]:
    """Which characters are separated from the one before, and from the one after."""
    before = (kinds & ALONE) > 0
    dashes = np.flatnonzero(kinds & DASH)
    before[dashes[(kinds[dashes - 1] & DIGIT) > 0]] = True
    after = before.copy()

    points = np.flatnonzero(kinds & POINT)
    if not len(points):
        return before, after
    keeps = (kinds & DIGIT) > 0
    keeps[edges] = True  # no character at all is no "non-digit"
    first = np.concatenate([[True], np.diff(points) > 1])  # of a run of points
    last = np.concatenate([first[1:], [True]])
    starts, ends = points[first], points[last]
    follows, precedes = keeps[starts - 1], keeps[ends + 1]
    length = ends - starts + 1
    separated = (length % 2 == 0) == follows  # the run's last, by the first expression

    before[points] = True
    before[starts[(length == 1) & follows & precedes]] = False
    after[points] = True
    after[ends[~separated & precedes]] = False
    return before, after


@cache
def _classes(name: Name) -> NDArray[np.uint8]:
    """(0x110000,) what each code point is."""
    table = np.zeros(0x110000, np.uint8)
    table[[code for code in range(0x10000) if chr(code).isspace()]] = SPACE
    if name == "char":
        table |= ALONE
    elif name == "intl":
        _mark_categories(table)
    elif name in ("13a", "zh"):
        ascii_symbols = '{|}~[\\]^_` !"#$%&()*+:;<=>?@/'
        table[[ord(character) for character in ascii_symbols]] |= ALONE
        table[[ord("."), ord(",")]] |= POINT
        table[ord("0") : ord("9") + 1] |= DIGIT
        table[ord("-")] |= DASH
        if name == "zh":
            _mark_ideographs(table)
    return table


def _mark_categories(table: NDArray[np.uint8]) -> None:
    import regex

    everything = "".join(map(chr, range(len(table))))
    for category, kind in ("P", POINT), ("N", DIGIT), ("S", ALONE):
        for found in regex.finditer(rf"\p{{{category}}}+", everything):
            table[found.start() : found.end()] |= kind


def _mark_ideographs(table: NDArray[np.uint8]) -> None:
    """sacrebleu's ranges, some of which end in strings of two characters: compared as strings."""
    from sacrebleu.tokenizers.tokenizer_zh import _UCODE_RANGES

    for start, end in _UCODE_RANGES:
        table[ord(start[0]) + (len(start) > 1) : ord(end[0]) + 1] |= ALONE


def _tagger(name: Literal["ja-mecab", "ko-mecab"]) -> partial[str]:
    """A tokenizer of its own for each call: a tagger is not to be shared between threads."""
    from sacrebleu.tokenizers.tokenizer_ja_mecab import TokenizerJaMecab
    from sacrebleu.tokenizers.tokenizer_ko_mecab import TokenizerKoMecab

    kind = TokenizerJaMecab if name == "ja-mecab" else TokenizerKoMecab
    try:
        return partial(kind.__call__.__wrapped__, kind())
    except RuntimeError:
        raise Unavailable(
            Sentence(
                "tokenize {name!r} needs the package sacrebleu[{extra}]", name=name, extra=name[:2]
            ),
            "params.tokenize",
        ) from None
