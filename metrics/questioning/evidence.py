"""Questions of one text put to another: the evidence, and what of it is shown.

Evidence has, for each question of an item: `f1` of the two answers, `answerable`: the probability
that the text it was put to answers it, `group`: 0 of the output's own questions, which the source
answers, 1 of the source's, which the output answers; and notes for people to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metrics.core.evidence import NOTES, Evidence
from metrics.core.notes import packed, unpacked
from metrics.core.verdicts import Verdict
from metrics.questioning.generation import Question

OF_OUTPUT, OF_SOURCE = 0, 1
LONGEST_NOTE = 500  # characters of a question or answer that are kept to be read


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question with what the other text answers; empty: nothing."""

    question: Question
    group: int
    found: str
    answerable: float
    f1: float


def columns(answered: Sequence[AnsweredQuestion]) -> dict[str, Any]:
    """An item's part of the evidence."""
    notes = [
        {
            "question": _cut(one.question.text),
            "expected": _cut(one.question.expected),
            "own": _cut(one.question.own),
            "found": _cut(one.found),
        }
        for one in answered
    ]
    return {
        "f1": np.array([one.f1 for one in answered], np.float32),
        "answerable": np.array([one.answerable for one in answered], np.float32),
        "group": np.array([one.group for one in answered], np.int8),
        NOTES: packed(notes),
    }


def shown(evidence: Evidence, own: bool) -> list[list[Verdict]]:
    """Of each item, its questions, in words: `same`, `partly`, `different` or `unanswered` of the
    output's, `kept` or `left_out` of the source's.

    own  whether the answers compared with are those found in the output, not those asked for
    """
    starts = evidence.columns["f1"].offsets[:-1].tolist()
    return [
        [_verdict(evidence, place, text, own) for place, text in enumerate(texts, start)]
        for texts, start in zip(unpacked(evidence), starts, strict=True)
    ]


def _verdict(evidence: Evidence, place: int, text: dict[str, str], own: bool) -> Verdict:
    f1, answerable = (float(evidence[name][place]) for name in ("f1", "answerable"))
    values = {"answerable": round(answerable, 4)}
    if evidence["group"][place] == OF_SOURCE:
        word = "kept" if text["found"] else "left_out"
    else:
        values["f1"] = round(f1, 4)
        word = "unanswered" if not text["found"] else "partly" if 0 < f1 < 1 else "different"
        word = "same" if f1 == 1 else word
    expected = text["own"] if own else text["expected"]
    return Verdict(text["question"], word, None, expected or None, text["found"] or None, values)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 1] + "…"
