"""Transcripts: what was asked, what the judge said, and what was read in it, beside the numbers.

They stand in the evidence, as compressed bytes of one item: what is kept, cached and taken away
with it keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from metrics.core.evidence import Evidence
from metrics.core.notes import packed, unpacked
from metrics.judging.asking import Heard

LONGEST_ASKED, LONGEST_SAID = 8000, 4000  # characters of each that are kept
MOST_BYTES = 256 * 1024  # of an output's transcript: what comes after is told without its texts


def call(
    judge: str, criterion: str, order: str | None, asked: str, heard: Heard, values: Sequence[float]
) -> dict[str, Any]:
    """One question as it is kept; values are those of the response, NaN where there is none."""
    return {
        "judge": judge,
        "criterion": criterion or None,
        "order": order,
        "asked": _cut(asked, LONGEST_ASKED),
        # few digits: measured again, an audit looks at the numbers, not at these
        "likelihoods": {name: round(share, 4) for name, share in heard.likelihoods.items()} or None,
        "answers": [
            {
                "said": _cut(draw.said, LONGEST_SAID),
                "value": None if np.isnan(value) else round(value, 6),
                "missing": draw.kind,
                "reason": draw.reason,
                "repaired": draw.repaired,
            }
            for draw, value in zip(heard.draws, values, strict=True)
        ],
    }


def encode(calls: Sequence[dict[str, Any]]) -> NDArray[np.uint8]:
    """An output's transcript as bytes, bounded."""
    size, kept = 0, []
    for one in calls:
        size += len(orjson.dumps(one))
        kept.append(one if size <= MOST_BYTES else _without_texts(one))
    return packed(kept)


def decode(evidence: Evidence) -> list[list[dict[str, Any]]]:
    """The transcripts of all items; empty where an item has none."""
    return unpacked(evidence)


def _without_texts(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"asked": "", "answers": [answer | {"said": ""} for answer in one["answers"]]}


def _cut(text: str, most: int) -> str:
    text = text.replace("\x00", "\ufffd").encode(errors="replace").decode()  # surrogates, too
    return text if len(text) <= most else text[: most - 1] + "…"
