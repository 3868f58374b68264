"""How a text looks: its length and its Markdown, which please whatever the text says.

    length   characters
    headers  lines that begin with one to six # and a space
    lists    lines that begin with -, *, + or a number and a point
    bold     stretches between ** or __ within a line

Code between fences (```) counts for the length alone. `differences` makes of two outputs' styles
what controlled strengths are fitted with (`metrics.statistics.strengths`).

Source: Li, Angelopoulos & Chiang (2024), "Does style matter? Disentangling style and substance in
Chatbot Arena". Theirs are differences over sums; here, of logarithms, so that twice as long is as
much more of a short text as of a long one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

HEADER = re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE)
LIST = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S", re.MULTILINE)
BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Style:
    """Counts; see above."""

    length: int
    headers: int
    lists: int
    bold: int


def style(text: str) -> Style:
    """Of one text. A fence that nobody closes goes on to the end."""
    prose = "".join(FENCE.split(text)[::2])
    counts = (sum(1 for _ in pattern.finditer(prose)) for pattern in (HEADER, LIST, BOLD))
    return Style(len(text), *counts)


def differences(pairs: Iterable[tuple[str, str]]) -> dict[str, NDArray[np.float64]]:
    """(n,) of each count: log(1 + the first text's) less log(1 + the second's), by its name; 0.7 is
    twice as many."""
    names = [one.name for one in fields(Style)]
    rows = [
        [math.log1p(a) - math.log1p(b) for a, b in zip(first, second, strict=True)]
        for first, second in ((astuple(style(one)), astuple(style(other))) for one, other in pairs)
    ]
    table = np.array(rows, np.float64).reshape(-1, len(names))
    return {f"log_{name}": table[:, at] for at, name in enumerate(names)}
