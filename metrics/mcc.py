"""MCC, Matthews' correlation of what is said and what is wanted: 0 for whatever knows nothing.

Conventions
    Labels and classes are those of `f1_macro`; outputs with another label, or none, are one class
    together. With c right of s outputs, said_k and wanted_k of class k, of any number of classes:
        (c s - Σ said_k wanted_k) / sqrt((s² - Σ said_k²) (s² - Σ wanted_k²))
    0 where only one class is said or wanted. Computed over the set; several outputs of a sample
    count as one together. -1..1, higher is better; the guess of always the same gives 0.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> pairs = [("да", "да"), ("Да.", "нет"), ("нет", "нет"), ("нет", "нет")]
    >>> samples = [Sample(str(n), (said,), (wanted,)) for n, (said, wanted) in enumerate(pairs)]
    >>> (result,) = score(samples, [METRIC.bind()])
    >>> round(result.scores[0].value, 3)
    0.577
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Metric, Score, Source
from metrics.core.rows import Floats
from metrics.text.confusion import FLAGS, ConfusionParams, counts, labelled, settle


def measure(items: Sequence[Item], params: ConfusionParams, models: Models) -> Evidence:
    """What each output says and should have said, as codes of labels."""
    return labelled(items, params)


def reduce(sums: Floats, params: ConfusionParams) -> Floats:
    """(..., 3 K + 3) -> (..., 1)."""
    right, said, wanted, other = counts(sums, params)
    both, total = sums[..., -2], sums[..., -1]
    beyond = total - wanted.sum(-1)  # references whose label `labels` does not name
    with np.errstate(divide="ignore", invalid="ignore"):
        together = (right.sum(-1) + both) * total - (said * wanted).sum(-1) - other * beyond
        spread = total**2 - (said**2).sum(-1) - other**2
        wide = total**2 - (wanted**2).sum(-1) - beyond**2
        below = np.sqrt(spread * wide)
        value = np.where(below > 0, together / below, 0.0)
    return np.where(total > 0, value, np.nan)[..., None]


METRIC = Metric(
    name="mcc",
    version=2,
    about="Correlation of the labels said and wanted: 0 for guessing, whatever the classes' sizes.",
    formula="(c·s − Σ said_k·wanted_k) / √((s² − Σ said_k²)(s² − Σ wanted_k²))",
    avoid="Comparing sets with other shares of classes: the value moves with them.",
    params=ConfusionParams,
    reads=("output", "references"),
    needs=("references",),
    scores=(Score("mcc", higher_is_better=True, low=-1.0, high=1.0, about="correlation"),),
    interval="jackknife",
    source=Source(
        paper="Matthews 1975, Biochimica et Biophysica Acta 405; of many classes: Gorodkin 2004, "
        "Computational Biology and Chemistry 28",
        reference="scikit-learn 1.9.1, matthews_corrcoef",
    ),
    measure=measure,
    settle=settle,
    reduce=reduce,
    own_rows=True,
    set_level=True,
    flags=FLAGS,
)
