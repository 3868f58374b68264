"""People whose reliability is known, so that what an analysis says of them can be held to it.

They like a text that comes to its end, and of two that do, or do not, the one with fewer words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay import Client

Choice = Literal["a", "b", "tie"]

ENDS = (".", "!", "?", "”", '"')
SPREAD = 0.3  # deviation of the logarithm of the seconds that an item takes


@dataclass(frozen=True, slots=True)
class Person:
    """Who says of two texts what `better` says, with probability `reliability`, and else the
    opposite. With None a person clicks on what stands first; `seconds`: the median of an item."""

    name: str
    reliability: float | None
    seconds: float

    def choice(self, a: str, b: str, random: np.random.Generator) -> Choice:
        """Of two outputs in the order in which they are shown."""
        if self.reliability is None:
            return "a"
        right = better(a, b)
        if random.random() < self.reliability:
            return right
        if right == "tie":
            return "a" if random.random() < 0.5 else "b"
        return "b" if right == "a" else "a"

    def pace(self, random: np.random.Generator) -> float:
        """Seconds that an item takes."""
        return float(self.seconds * random.lognormal(0.0, SPREAD))


def better(a: str, b: str) -> Choice:
    """Which of two texts these people like.

    >>> better("It is Paris.", "It is a city which")
    'a'
    """
    costs = [(not text.rstrip().endswith(ENDS), len(text.split())) for text in (a, b)]
    if costs[0] == costs[1]:
        return "tie"
    return "a" if costs[0] < costs[1] else "b"


def vote_all(
    assay: Client, tokens: Mapping[Person, str], random: np.random.Generator
) -> Iterator[None]:
    """One after the other judges an item, until nobody is given any; yields after each vote."""
    queue = deque(tokens.items())
    while queue:
        person, token = queue.popleft()
        item = assay.next_item(token).item
        if item is None:
            continue
        choice = person.choice(item.a or "", item.b or "", random)
        assay.vote(token, item.id, choice=choice, seconds=person.pace(random))
        queue.append((person, token))
        yield
