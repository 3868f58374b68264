"""Length: how long the output is, in words or in characters.

Conventions
    A word is what stands between white space, each Han or kana character being one of its own; a
    character is a Unicode code point, white space included. An empty output has length 0. Several
    outputs of a sample are averaged; the value is the mean over samples. 0..∞.
    Longer is not better: `higher_is_better` only says how lists are ordered. The length is reported
    beside quality because many scores and reward models grow with it.

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", outputs=("two words", "東京は晴れ"))
    >>> (result,) = score([sample], [METRIC.bind({"unit": "words"})])
    >>> result.scores[0].value
    3.5
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.metric import Item, Params, Score, Source
from metrics.core.per_output import per_output
from metrics.text.normalization import words


class LengthParams(Params):
    """What is counted."""

    unit: Literal["words", "characters"] = Field(
        "words",
        description="`words`: between white space, Han and kana one by one; `characters`: "
        "Unicode code points",
    )


def length(item: Item, params: LengthParams, models: Models) -> int:
    """How many words or characters the output has."""
    counted = item.output if params.unit == "characters" else words(item.output, spaceless=True)
    return len(counted)


def scores(params: LengthParams) -> tuple[Score, ...]:
    """One, which says what was counted."""
    about = f"{params.unit} an output, on average"
    return (Score("length", higher_is_better=True, about=about, judged=False),)


METRIC = per_output(
    name="length",
    version=1,
    about="How long the outputs are, in words or characters; neither good nor bad by itself.",
    formula="mean number of words or characters",
    avoid="As a measure of quality: longer is not better.",
    params=LengthParams,
    reads=("output",),
    needs=("output",),
    scores=scores,
    source=Source(
        paper="Dubois et al., 2024, Length-Controlled AlpacaEval (why length belongs in a report)",
        reference="Python's str.split and len",
    ),
    measure=length,
    dtype=np.int64,
)
