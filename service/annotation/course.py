"""What an annotator is given, and how much is to come: a gold question or a repeat at their rates,
else an item, until no item is left.

Whether a turn is one of gold follows from the project's seed, the annotator and the turn's number.
So what is to come can be counted, and the count falls by one with every answer: it tells nobody
which of them was gold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from service.annotation.answers import chance
from service.annotation.store import Project

REPEAT_AFTER = 5  # votes between an item and its repeat: until then it is remembered

Turn = Literal["item", "gold", "repeat"]


@dataclass(frozen=True, slots=True)
class Left:
    """What an annotator may still be given.

    items   kinds of those that are open, in their order
    gold    how many questions were not put to them
    judged  how many items they voted on once, as repeats are drawn from
    """

    items: Sequence[str]
    gold: int
    judged: int


def turn(project: Project, annotator: str, at: int) -> Turn:
    """What the annotator is given at this turn, from 0, while there is some."""
    gold_rate, repeats = project.definition["gold_rate"], project.definition["repeats"]
    drawn = chance(project.seed, annotator, at)
    if drawn < gold_rate:
        return "gold"
    return "repeat" if drawn < gold_rate + repeats else "item"


def length(project: Project, annotator: str, at: int, left: Left, most: int) -> int:
    """How many turns are to come from this one on, up to `most`, where nobody else takes any."""
    given, gold, judged = 0, left.gold, left.judged
    for count in range(most):
        if given == len(left.items):
            return count
        what = turn(project, annotator, at + count)
        if what == "gold" and gold:
            gold -= 1
        elif what == "repeat" and judged > REPEAT_AFTER:
            judged -= 1
        else:
            judged += left.items[given] == "item"
            given += 1
    return most
