"""Exact match: does the output equal one of the references?

Conventions
    1 when the output, normalised, equals a reference, normalised alike; else 0. Several outputs of
    a sample are averaged; the value is the mean over samples. 0..1, higher is better.
    Normalisation (metrics/text/normalization.py): `unicode` unless told; `squad` gives SQuAD 1.1's
    numbers; `none` compares the texts as they are.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", outputs=("Париж!", "Лион"), references=("париж",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> result.scores[0].value
    0.5
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.metric import Item, Params, Score, Source
from metrics.core.per_output import per_output
from metrics.text.normalization import Normalization, normalize


class ExactMatchParams(Params):
    """How texts are made comparable."""

    normalization: Normalization = Field(
        "unicode",
        description="`unicode`: NFKC, case folded, no punctuation; `squad`: SQuAD 1.1's, English; "
        "`none`: as they are",
    )


def match(item: Item, params: ExactMatchParams, models: Models) -> bool:
    """Whether the output equals a reference."""
    wanted = {normalize(reference, params.normalization) for reference in item.references}
    return normalize(item.output, params.normalization) in wanted


METRIC = per_output(
    name="exact_match",
    version=1,
    about="Share of outputs that equal a reference once both are normalised.",
    formula="share of outputs that equal a reference, once normalised",
    avoid="Answers that may be phrased in several ways, unless all of them are references.",
    params=ExactMatchParams,
    reads=("output", "references"),
    scores=(Score("exact_match", higher_is_better=True, high=1.0, about="share of exact matches"),),
    source=Source(
        paper="Rajpurkar et al., 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text",
        reference="SQuAD 1.1 evaluation script, with normalization: squad",
    ),
    measure=match,
    dtype=np.uint8,
    interval="wilson",
)
