"""What a metric's declaration is made of: its scores, where it is from, what its flags mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from metrics.core.params import Params
from metrics.core.rows import Floats, Ints

P = TypeVar("P", bound=Params)
# details: of making an output that was generated; choices: of a multiple choice;
# contexts: texts that were retrieved for the answer; instructions: that a program checks;
# language: the one that was asked for
Reads = Literal[
    "output",
    "references",
    "prompt",
    "tests",
    "opponent",
    "details",
    "choices",
    "contexts",
    "instructions",
    "language",
]

# bootstrap    percentiles: smooth functions of many counts (BLEU)
# bootstrap_t  means and ratios of few columns, skewed or heavy-tailed
# wilson       means of values within bounds that are often all alike (0/1, pass@k)
# jackknife    set-level metrics, in which a sample drawn twice means nothing
IntervalMethod = Literal["bootstrap", "bootstrap_t", "wilson", "jackknife"]


@dataclass(frozen=True, slots=True)
class Score:
    """One number a metric yields."""

    name: str
    higher_is_better: bool
    low: float = 0.0
    high: float = float("inf")
    about: str = ""
    # parts of the signature that do not stop two values of this score from being compared
    comparable_across: tuple[str, ...] = ()
    # False: neither is better, and `higher_is_better` only says how lists are ordered
    judged: bool = True
    # why there is neither an interval of it nor a test, whatever the metric's method: none would
    # keep its promise. "": there are
    no_interval: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the definition comes from."""

    paper: str
    reference: str  # the implementation whose numbers these are, with its version


@dataclass(frozen=True, slots=True)
class Flag:
    """What a non-zero `flag` in the evidence means."""

    message: str
    missing: bool  # the item could not be measured: zero row, counted as missing
    # False: it came of the machine and its load, so the cache never keeps such an item
    lasting: bool = True
    # of missing ones: nobody was to judge the item, so that counts against no system
    by_design: bool = False


@dataclass(frozen=True, slots=True)
class Exchange(Generic[P]):
    """Scores tested by exchanging two systems' rows: see `metrics.statistics.exchange`.

    orders  of (n, C) and (n, C) rows of two systems, those in which their columns are taken as rows
            are exchanged; their scores stay as they are by it
    """

    scores: tuple[str, ...] | Callable[[P], tuple[str, ...]]
    orders: Callable[[Floats, Floats, P], tuple[Ints, Ints]]
