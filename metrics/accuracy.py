"""Accuracy: the share of outputs with the right label.

Conventions
    The label of an output is what a protocol's `answer` takes of it (docs/protocols.md), without
    `<think>…</think>`: all of it, unless `take` says otherwise; `choice` takes a letter. It is
    right when it equals one of the references, both normalised; with `take: choice` a reference
    "(B)" is its letter, and with `last_number` or `solution` numbers are compared in value. Where
    the metadata has `choices` and `answer` (a place from 0, a letter, or the text), the letter and
    the text of the right choice are right, too. An output without a label is wrong.
    1 or 0; several outputs of a sample are averaged; the value is the mean over samples.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> outputs = ("The answer is (B).", "Ответ: В", "I do not know")
    >>> samples = [Sample(str(n), (one,), ("B",)) for n, one in enumerate(outputs)]
    >>> (result,) = score(samples, [METRIC.bind({"take": "choice"})])
    >>> round(result.scores[0].value, 3)
    0.667
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.protocol import Models
from metrics.core.errors import MissingInput
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Sample, Score, Source
from metrics.core.rows import mean
from metrics.text.labels import LabelParams, lacks_label

NO_LABEL = 1


def measure(items: Sequence[Item], params: LabelParams, models: Models) -> Evidence:
    """Rows (right, 1), and a flag where there is no label."""
    found = [params.right(item) for item in items]
    rows = np.array([(right or 0, 1) for right in found], np.uint8)
    return Evidence.of_rows(rows, [NO_LABEL if right is None else 0 for right in found])


def check(params: LabelParams, samples: Sequence[Sample]) -> None:
    """Raises MissingInput for a sample with neither references nor choices."""
    for index, sample in enumerate(samples):
        if lacks_label(sample):
            raise MissingInput("accuracy", "references", index, sample.id, "samples")


METRIC = Metric(
    name="accuracy",
    version=1,
    about="Share of outputs with the right label or choice.",
    formula="share of outputs whose extracted label equals a reference's",
    avoid="Classes of unlike size, where always saying the commonest looks good: see `mcc`.",
    params=LabelParams,
    reads=("output", "references", "choices"),
    needs=(),
    scores=(Score("accuracy", higher_is_better=True, high=1.0, about="share of right labels"),),
    interval="wilson",
    pooling="average",
    source=Source(
        paper="Hendrycks et al. 2021, Measuring Massive Multitask Language Understanding",
        reference="scikit-learn 1.9.1, accuracy_score",
    ),
    measure=measure,
    reduce=mean,
    check=check,
    flags={NO_LABEL: Flag("no label was found: counted as wrong", missing=False)},
)
