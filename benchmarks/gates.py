"""How often gates err: `python -m benchmarks.gates` prints the table of docs/gates.md.

A candidate exactly at the margin is neither good enough nor clearly bad: "go" and "no go" are both
errors there, and each may happen in 5% of the runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from metrics.statistics.sequential import confidence_sequence
from metrics.statistics.verdicts import Question, answers
from metrics.statistics.weights import Floats

ALPHA = 0.05
LOOKS = 20
RUNS = 2000
Draw = Callable[[np.random.Generator, int], Floats]  # differences at the margin: of mean 0


@dataclass(frozen=True, slots=True)
class Errors:
    """Shares of the runs that ended in "go" and in "no go", where neither is true."""

    go: float
    no_go: float


def flips(rng: np.random.Generator, n: int) -> Floats:
    """A 0/1 score in which one sample in five changes."""
    return np.asarray(rng.choice([-1.0, 0.0, 1.0], n, p=[0.1, 0.8, 0.1]))


def rare(rng: np.random.Generator, n: int) -> Floats:
    """A 0/1 score in which 5% get worse and none better, at a margin of 5 points."""
    return 0.05 - rng.binomial(1, 0.05, n).astype(np.float64)


def smooth(rng: np.random.Generator, n: int) -> Floats:
    """Scores between 0 and 1 that are weakly alike in both systems."""
    shared, a, b = rng.uniform(size=(3, n))
    return np.asarray((shared + a) / 2 - (shared + b) / 2)


KINDS: dict[str, tuple[Draw, float]] = {  # with the margin at which the candidate is
    "0/1, one in five changes": (flips, 0.0),
    "0/1, 5% worse": (rare, 0.05),
    "0 to 1": (smooth, 0.0),
}
CASES = ((200, 1, 1), (1000, 1, 1), (1000, 5, 1), (1000, 1, LOOKS), (1000, 5, LOOKS))


def question(gaps: Floats, margin: float) -> Question:
    """What a gate asks, given the differences plus the margin."""
    drops = gaps - margin
    shares = bool(np.isin(np.round(drops, 9), (-1.0, 0.0, 1.0)).all())
    return Question(
        difference=float(drops.mean()),
        margin=margin,
        error=float(drops.std(ddof=1)) / len(drops) ** 0.5,
        freedom=len(drops) - 1,
        units=len(drops),
        reach=(-1.0, 1.0),
        changed=(int((drops > 0.5).sum()), int((drops < -0.5).sum())) if shares else None,
    )


def looked(
    kind: str, n: int, runs: int, *, rules: int, looks: int, sequential: bool, seed: int = 0
) -> Errors:
    """Errors of a gate of several critical rules, looked at as n samples come in, and stopped at
    the first verdict of any rule."""
    rng = np.random.default_rng(seed)
    draw, margin = KINDS[kind]
    ends = ((np.arange(1, looks + 1) * n) // looks).tolist()
    found = {"go": 0, "no_go": 0, "inconclusive": 0}
    for _ in range(runs):
        drawn = [draw(rng, n) for _ in range(rules)]
        if sequential:
            found[_always_valid(drawn, margin, ends)] += 1
        else:
            found[_plain(drawn, margin, ends)] += 1
    return Errors(found["go"] / runs, found["no_go"] / runs)


def _plain(drawn: list[Floats], margin: float, ends: list[int]) -> str:
    for end in ends:
        for one in answers([question(one[:end], margin) for one in drawn], ALPHA):
            if one.verdict != "inconclusive":
                return one.verdict
    return "inconclusive"


def _always_valid(drawn: list[Floats], margin: float, ends: list[int]) -> str:
    """What `answers` finds at each look: its bounds at n do not depend on what comes after."""
    level = 2.0 * ALPHA / len(drawn)
    bounds = [confidence_sequence(one - margin, -1.0, 1.0, level) for one in drawn]
    for end in ends:
        for low, high in bounds:
            if low[end - 1] > -margin:
                return "go"
            if high[end - 1] < -margin:
                return "no_go"
    return "inconclusive"


def lines(runs: int) -> Iterator[str]:
    """The table, as markdown."""
    yield "| differences | n | critical rules | looks | wrong go · no-go, plain | sequential |"
    yield "|---|---|---|---|---|---|"
    for kind in KINDS:
        for n, rules, looks in CASES:
            shown = []
            for sequential in (False, True):
                count = runs // (4 if sequential or looks > 1 else 1)
                found = looked(kind, n, count, rules=rules, looks=looks, sequential=sequential)
                shown.append(f"{100 * found.go:.1f}% · {100 * found.no_go:.1f}%")
            yield f"| {kind} | {n} | {rules} | {looks} | {shown[0]} | {shown[1]} |"


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.gates", description=__doc__)
    asked.add_argument("runs", type=int, nargs="?", default=RUNS, help="of each cell: %(default)s")
    for line in lines(asked.parse_args().runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
