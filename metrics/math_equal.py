"""Math equality: has the answer of a solution the value of a reference?

Conventions
    What stands in `<think>…</think>` is cut first. The answer is then taken as a protocol's
    `"answer": "solution"` is (docs/protocols.md): of the last `\\boxed{…}`, the line behind `####`,
    what follows "answer is" or "Ответ:", the last formula or number; `take` and `marker` say
    otherwise. An output without an answer is wrong. A reference's answer is its box, what stands
    behind its `####` (GSM8K's own solutions), or all of it. Of several, one has to be met.
    Numbers are compared exactly: 1,234.50 = 1234.5, 3,5 = 3.5, ٣ = 3, 1/2 = 0.5, 1e-3 = 0.001;
    50% is both 0.5 and 50; a currency sign, and a unit that only one side has, do not count. Words
    are compared as texts, normalised. All else (formulas, sets, intervals, matrices) is compared by
    math-verify, to six decimals, in a process of its own with `seconds` for each pair and 1 GiB of
    memory. What it cannot decide is missing, and not wrong.
    1 or 0; several outputs of a sample are averaged; the value is the mean over samples.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> outputs = ("<think>7?</think>Тогда 6 · 7 = 42. Ответ: 42.", "It is 41.")
    >>> sample = Sample("1", outputs, references=("6 * 7 = <<6*7=42>>42\\n#### 42",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> result.scores[0].value
    0.5
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from inference.batching import plan_in_order
from inference.protocol import Models
from inference.protocols.declaration import Take
from inference.protocols.solutions import declared
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Score, Source
from metrics.core.rows import mean
from metrics.text.bounded import Bounded
from metrics.text.equality import equal, simplest
from metrics.text.extraction import Extraction

PROCESS = Bounded(Path(__file__).parent / "text" / "equality_process.py")  # starts when it is asked
BATCH = 256  # outputs between two reports of progress
GRACE = 2.0  # seconds that a process may take beyond the time it was given
LONGEST = 2000  # characters of a formula
UNDECIDED, NO_ANSWER = 1, 2  # flags


class MathParams(Extraction):
    """What is the answer, and how long it may take to compare."""

    take: Take = "solution"
    seconds: int = Field(5, ge=1, le=60, description="that two formulas may take, each step")


def measure(items: Sequence[Item], params: MathParams, models: Models) -> Evidence:
    """Rows (right, 1); flags of outputs that have no answer, or could not be decided."""
    rows = np.ones((len(items), 2), np.uint8)
    flags = np.zeros(len(items), np.uint8)
    known: dict[tuple[str, str], bool | None] = {}
    for index, item in enumerate(items):
        answer = params.extract(item.output)
        if answer is None:
            rows[index, 0], flags[index] = 0, NO_ANSWER
            continue
        wanted = [declared(one) for one in item.references]
        found = _met(wanted, answer, params.seconds, known)
        rows[index, 0], flags[index] = bool(found), UNDECIDED if found is None else 0
    return Evidence.of_rows(rows, flags.tolist())


def _met(
    wanted: Sequence[str],
    answer: str,
    seconds: int,
    known: dict[tuple[str, str], bool | None],
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


METRIC = Metric(
    name="math_equal",
    version=1,
    about="Share of outputs whose final answer has the value of a reference, numbers and LaTeX.",
    formula="share of outputs whose extracted answer equals a reference's in value",
    avoid="Proofs and reasoning: only the answer is seen. Units on both sides have to be equal.",
    params=MathParams,
    reads=("output", "references"),
    needs=("references",),
    scores=(Score("math_equal", higher_is_better=True, high=1.0, about="share of right answers"),),
    interval="wilson",
    pooling="average",
    source=Source(
        paper="Cobbe et al. 2021, arXiv:2110.14168; Hendrycks et al. 2021, arXiv:2103.03874",
        reference="math-verify 0.9.0",
    ),
    measure=measure,
    reduce=mean,
    plan=lambda items, params, models: plan_in_order([1] * len(items), BATCH, BATCH),
    libraries=("math-verify", "latex2sympy2_extended", "sympy", "antlr4-python3-runtime"),
    cached=True,
    independent=True,
    flags={
        UNDECIDED: Flag(
            "two formulas could not be compared in `seconds`", missing=True, lasting=False
        ),
        NO_ANSWER: Flag("no answer was found: counted as wrong", missing=False),
    },
)
