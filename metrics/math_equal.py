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

import numpy as np

from inference.batching import plan_in_order
from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Metric, Score, Source
from metrics.core.rows import mean
from metrics.text.verdicts import FLAGS, LIBRARIES, SolutionParams, verdicts

BATCH = 256  # outputs between two reports of progress


def measure(items: Sequence[Item], params: SolutionParams, models: Models) -> Evidence:
    """Rows (right, 1); flags of outputs that have no answer, or could not be decided."""
    _, right, flags = verdicts(items, params)
    return Evidence.of_rows(np.stack([right, np.ones_like(right)], 1), flags.tolist())


METRIC = Metric(
    name="math_equal",
    version=1,
    about="Share of outputs whose final answer has the value of a reference, numbers and LaTeX.",
    formula="share of outputs whose extracted answer equals a reference's in value",
    avoid="Proofs and reasoning: only the answer is seen. Units on both sides have to be equal.",
    params=SolutionParams,
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
    libraries=LIBRARIES,
    cached=True,
    independent=True,
    flags=FLAGS,
)
