"""Macro F1: how well each class is found, all classes counting alike.

Conventions
    Labels are taken and normalised as `accuracy` has them; of several references the one that the
    output equals is the label, or else the first. The classes are those of the references, unless
    `labels` names them: an output with another label, or none, is wrong, and no class of its own.
    Of a class, F1 = 2 tp / (said + wanted); one with neither outputs nor references is left out.
    `f1_macro` is the mean over classes, `f1_weighted` the mean by their references,
    `balanced_accuracy` the mean of the shares found. Computed over the set, never averaged over
    samples; several outputs of a sample count as one together. 0..1, higher is better.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> pairs = [("да", "да"), ("Да.", "нет"), ("нет", "нет"), ("не знаю", "нет")]
    >>> samples = [Sample(str(n), (said,), (wanted,)) for n, (said, wanted) in enumerate(pairs)]
    >>> (result,) = score(samples, [METRIC.bind()])
    >>> [round(found.value, 3) for found in result.scores]
    [0.583, 0.542, 0.667]
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
    """(..., 3 K + 3) -> f1_macro, f1_weighted, balanced_accuracy."""
    right, said, wanted, _ = counts(sums, params)
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = np.where(said + wanted > 0, 2 * right / (said + wanted), 0.0)
        found = np.where(wanted > 0, right / wanted, 0.0)
        macro = f1.sum(-1) / (said + wanted > 0).sum(-1)
        weighted = (f1 * wanted).sum(-1) / wanted.sum(-1)
        balanced = found.sum(-1) / (wanted > 0).sum(-1)
    return np.stack([macro, weighted, balanced], -1)


METRIC = Metric(
    name="f1_macro",
    version=2,
    about="F1 of each class, averaged: rare classes count as much as common ones.",
    formula="mean over classes of 2 · tp / (said + wanted)",
    avoid="Classes with a handful of references: each moves the value as much as a large one.",
    params=ConfusionParams,
    reads=("output", "references"),
    needs=("references",),
    scores=(
        Score("f1_macro", higher_is_better=True, high=1.0, about="mean F1 of the classes"),
        Score("f1_weighted", higher_is_better=True, high=1.0, about="mean F1 by references"),
        Score("balanced_accuracy", higher_is_better=True, high=1.0, about="mean recall"),
    ),
    interval="jackknife",
    source=Source(
        paper="Opitz and Burst 2019, Macro F1 and Macro F1, arXiv:1911.03347",
        reference="scikit-learn 1.9.1, f1_score and balanced_accuracy_score",
    ),
    measure=measure,
    settle=settle,
    reduce=reduce,
    own_rows=True,
    set_level=True,
    flags=FLAGS,
)
