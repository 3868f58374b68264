"""Answers of solutions against math-verify: numbers as in GSM8K, and formulas as in MATH."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import numpy as np

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from metrics import find
from metrics.core.metric import Sample
from metrics.core.rows import Floats


def rows(scale: float) -> Iterator[Row]:
    yield _row("GSM8K's way", max(4, int(500 * scale)), 5.0, formulas=False)
    yield _row("a third formulas", max(4, int(600 * scale)), 1.0, formulas=True)


def _row(what: str, count: int, required: float, *, formulas: bool) -> Row:
    inputs = [_solutions(count, seed, formulas) for seed in range(ROUNDS)]
    found = in_turns(inputs, _ours, _theirs)
    difference = max(furthest(a, b) for a, b in found.results)
    title = f"math_equal, {count} solutions, {what}, against math-verify"
    return ratio(title, found, required, "every verdict", agrees=difference == 0)


def _ours(samples: list[Sample]) -> Floats:
    return rows_of(find("math_equal").bind(), samples)[:, 0]


def _theirs(samples: list[Sample]) -> Floats:
    from math_verify import parse, verify

    logging.disable()
    found = [verify(parse(one.references[0]), parse(one.outputs[0])) for one in samples]
    logging.disable(logging.NOTSET)
    return np.array(found, np.float64)


def _solutions(count: int, seed: int, formulas: bool) -> list[Sample]:
    draw = random.Random(seed)
    made = []
    for index in range(count):
        n, other = draw.randrange(2, 5000), draw.randrange(2, 5000)
        n, other = (n, n) if draw.random() < 0.6 else (n, other)
        wanted, answer = f"{n}", f"First {n + 3} - 3.\nThat is all.\nThe final answer is ${other}$."
        if formulas and index % 3 == 0:
            a, b = draw.randrange(2, 99), draw.randrange(2, 99)
            wanted = f"$\\frac{{{n}x+{a}}}{{{b}}}$"
            written = [f"\\frac{{{n}x+{a}}}{{{b}}}", f"\\dfrac{{{a}+{other}x}}{{{b}}}"]
            answer = f"So it is $\\boxed{{{draw.choice(written)}}}$."
        made.append(Sample(str(index), (answer,), (wanted,)))
    return made
