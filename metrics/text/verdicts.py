"""Which answers of solutions are right: taken, compared at once or by the process that may take
long, and flagged where there is none, or nothing was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from inference.protocols.declaration import Take
from inference.protocols.solutions import declared
from metrics.core.metric import Flag, Item
from metrics.text.bounded import Bounded
from metrics.text.equality import equal, simplest
from metrics.text.extraction import Extraction

PROCESS = Bounded(Path(__file__).parent / "equality_process.py")  # starts when it is asked
GRACE = 2.0  # seconds that it may take beyond the time it was given
LONGEST = 2000  # characters of a formula
UNDECIDED, NO_ANSWER = 1, 2
FLAGS: Mapping[int, Flag] = {
    UNDECIDED: Flag("two formulas could not be compared in `seconds`", missing=True, lasting=False),
    NO_ANSWER: Flag("no answer was found: counted as wrong", missing=False),
}
LIBRARIES = ("math-verify", "latex2sympy2_extended", "sympy", "antlr4-python3-runtime")

Flags = NDArray[np.uint8]


class SolutionParams(Extraction):
    """What is the answer, and how long it may take to compare."""

    take: Take = "solution"
    seconds: int = Field(5, ge=1, le=60, description="that two formulas may take, each step")


def verdicts(
    items: Sequence[Item], params: SolutionParams
) -> tuple[list[str | None], NDArray[np.uint8], Flags]:
    """(n_items,) answers, whether they are right, and flags."""
    answers = [params.extract(item.output) for item in items]
    right, flags = np.zeros(len(items), np.uint8), np.zeros(len(items), np.uint8)
    known: dict[tuple[str, str], bool | None] = {}
    for index, (item, answer) in enumerate(zip(items, answers, strict=True)):
        if answer is None:
            flags[index] = NO_ANSWER
            continue
        wanted = [declared(one) for one in item.references]
        found = _met(wanted, answer, params.seconds, known)
        right[index], flags[index] = bool(found), UNDECIDED if found is None else 0
    return answers, right, flags


def _met(
    wanted: Sequence[str], answer: str, seconds: int, known: dict[tuple[str, str], bool | None]
) -> bool | None:
    """Whether one of the references is met; None where that stays open."""
    at_once = [equal(reference, answer) for reference in wanted]
    if any(at_once):
        return True
    found: bool | None = False
    for reference, decided in zip(wanted, at_once, strict=True):
        if decided is not None:
            continue
        pair = simplest(reference), simplest(answer)
        if pair not in known:
            known[pair] = _asked(*pair, seconds)
        if known[pair]:
            return True
        if known[pair] is None:
            found = None
    return found


def _asked(reference: str, answer: str, seconds: int) -> bool | None:
    if max(len(reference), len(answer)) > LONGEST:
        return None
    question = {"reference": f"${reference}$", "answer": f"${answer}$", "seconds": seconds}
    told = PROCESS.ask(question, 4 * seconds + GRACE)
    found = told["equal"] if isinstance(told, dict) else None
    return found if isinstance(found, bool) else None
