"""Claims held against texts: each sentence with what of the texts supports or refutes it most.

Evidence has, for each claim of an item, `entailment` and `contradiction`: the most over the units
of the texts; `group`: of which text the claim is, from 0; and notes for people to read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inference.batching import plan_in_order
from inference.protocol import Models
from metrics.core.evidence import FLAG, NOTES, Evidence
from metrics.core.metric import Flag, Item
from metrics.core.notes import packed, unpacked
from metrics.core.rows import Floats
from metrics.core.verdicts import Verdict
from metrics.entailment.model import Judgement, NliParams, judge
from metrics.text.segments import sentences_of

NO_CLAIM, NO_SOURCE, TOO_MANY, CUT = 1, 2, 3, 4  # flags
FLAGS = {
    NO_CLAIM: Flag("no sentence with a letter or digit: nothing is claimed", missing=True),
    NO_SOURCE: Flag("no text to hold the sentences against", missing=True),
    TOO_MANY: Flag("too many pairs of sentences: more than 20,000", missing=True),
    CUT: Flag("a pair is longer than the model reads: its longer text lost its end", missing=False),
}
MOST_PAIRS = 20_000  # of one item
LONGEST_NOTE = 1000  # characters of a sentence or source that are kept to be read
MOST_NOTES = 200  # claims of an item whose texts are kept
BATCH_BYTES, BATCH_ITEMS = 65_536, 64  # between two looks at whether to go on


@dataclass(frozen=True, slots=True)
class Case:
    """What is held against what.

    claims   each a sentence and the group that it belongs to
    sources  units of the texts
    """

    claims: Sequence[tuple[str, int]]
    sources: Sequence[str]

    @property
    def flag(self) -> int:
        """Why there is nothing to measure; 0 where there is."""
        if not self.claims:
            return NO_CLAIM
        if not self.sources:
            return NO_SOURCE
        return TOO_MANY if len(self.claims) * len(self.sources) > MOST_PAIRS else 0


def units(text: str, unit: Literal["sentence", "paragraph", "text"]) -> list[str]:
    """A source in parts; none of them blank."""
    if unit == "sentence":
        return sentences_of(text)
    parts = text.split("\n\n" if "\n\n" in text else "\n") if unit == "paragraph" else [text]
    return [part.strip() for part in parts if part.strip()]


def plan(items: Sequence[Item], params: NliParams, models: Models) -> list[list[int]]:
    """In order, by the bytes of all texts: outputs about the same source meet in a batch."""
    sizes = [
        sum(
            len(text.encode())
            for text in (item.output, item.prompt or "", *item.references, *item.contexts)
        )
        for item in items
    ]
    return plan_in_order(sizes, BATCH_BYTES, BATCH_ITEMS)


def measure(
    items: Sequence[Item], params: NliParams, models: Models, case: Callable[[Item], Case]
) -> Evidence:
    """Evidence of what `case` makes of each item; see the module's docstring."""
    cases = [case(item) for item in items]
    flags = [one.flag for one in cases]
    open_cases = [one for one, flag in zip(cases, flags, strict=True) if not flag]
    pairs = [
        (source, claim) for one in open_cases for claim, _ in one.claims for source in one.sources
    ]
    judged = judge(pairs, params, models) if pairs else None
    ends = np.cumsum([0, *(len(one.claims) * len(one.sources) for one in open_cases)]).tolist()
    spans = pairwise(ends)
    columns: dict[str, list[NDArray[Any]]] = {
        name: [] for name in ("entailment", "contradiction", "group", NOTES)
    }
    for index, one in enumerate(cases):
        if flags[index] or judged is None:
            found, cut = _nothing(), False
        else:
            found, cut = _of(one, judged, *next(spans))
        flags[index] = flags[index] or (CUT if cut else 0)
        for name, values in found.items():
            columns[name].append(values)
    return Evidence.of_ragged(columns, {FLAG: np.array(flags, np.uint8)})


def _nothing() -> dict[str, NDArray[Any]]:
    none = np.zeros(0)
    return {
        "entailment": none,
        "contradiction": none,
        "group": none.astype(np.int32),
        NOTES: none.astype(np.uint8),
    }


def _of(
    case: Case, judged: Judgement, start: int, stop: int
) -> tuple[dict[str, NDArray[Any]], bool]:
    shape = len(case.claims), len(case.sources)
    entails = judged.entails[start:stop].reshape(shape)  # (claims, sources)
    contradicts = judged.contradicts[start:stop].reshape(shape)
    notes = [
        {
            "sentence": _cut(claim),
            "supports": _cut(case.sources[int(entails[at].argmax())]),
            "refutes": _cut(case.sources[int(contradicts[at].argmax())]),
        }
        for at, (claim, _) in enumerate(case.claims[:MOST_NOTES])
    ]
    return {
        "entailment": entails.max(1),
        "contradiction": contradicts.max(1),
        "group": np.array([group for _, group in case.claims], np.int32),
        NOTES: packed(notes),
    }, bool(judged.cut[start:stop].any())


def verdicts(entails: Floats, contradicts: Floats, threshold: float) -> NDArray[np.int8]:
    """(n,) 1 supported, -1 refuted, 0 not enough: what is at least `threshold`, and the larger."""
    supported = (entails >= threshold) & (entails >= contradicts)
    refuted = (contradicts >= threshold) & ~supported
    return supported.astype(np.int8) - refuted.astype(np.int8)


VERDICTS = {1: "supported", -1: "refuted", 0: "not_enough"}


def shown(evidence: Evidence, threshold: float) -> list[list[Verdict]]:
    """Of each item, its claims with verdict, probabilities and the source that says it most."""
    starts = evidence.columns["entailment"].offsets[:-1].tolist()
    entails, contradicts = (
        evidence[name].astype(np.float64) for name in ("entailment", "contradiction")
    )
    said = verdicts(entails, contradicts, threshold)
    return [
        [
            Verdict(
                text=text["sentence"],
                verdict=VERDICTS[int(said[place])],
                source=text["refutes" if said[place] < 0 else "supports"],
                values={
                    "entailment": round(float(entails[place]), 4),
                    "contradiction": round(float(contradicts[place]), 4),
                },
            )
            for place, text in enumerate(texts, start)
        ]
        for texts, start in zip(unpacked(evidence), starts, strict=True)
    ]


def by_item(evidence: Evidence, value: Callable[[slice], Sequence[float]], width: int) -> Floats:
    """(n_items, width): `value` of each item's slice of the columns; 0 where it has no claim."""
    offsets = evidence.columns["entailment"].offsets.tolist()
    rows = np.zeros((len(evidence), width))
    for at, (start, stop) in enumerate(pairwise(offsets)):
        if stop > start:
            rows[at] = value(slice(start, stop))
    return rows


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 1] + "…"
