"""TER, the translation edit rate: edits and moves of words that make the output a reference.

Conventions
    The numbers are sacrebleu 2.6.0's. A sample's row is its statistics, equal to the bit:
        edits, ref_len
    Insertions, deletions, substitutions, and moves of up to ten words at a time, each one edit; the
    value is their sum over the reference's words, in per cent; lower is better, 0 is a perfect
    match, and long outputs exceed 100. Several references: the least edits count, ref_len is their
    mean length. References without words: 100 if there are edits, else 0. Several outputs of a
    sample are pooled. Words stand between white space; texts are lower-cased unless
    `case_sensitive`. Chinese and Japanese need `normalized` with `asian_support`: their words are
    then characters, and a text is one word otherwise.

Snover, Dorr, Schwartz, Micciulla, Makhoul: A study of translation edit rate with targeted human
annotation (AMTA 2006).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", ("в Москве завтра дождь",), references=("завтра в Москве дождь",))
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> result.scores[0].value
    25.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import Floats
from metrics.text.scripts import spaceless
from metrics.text.shifts import edits


class TerParams(Params):
    """Names and defaults are sacrebleu's."""

    normalized: bool = Field(False, description="separate punctuation, as Tercom does")
    no_punct: bool = Field(False, description="drop punctuation")
    asian_support: bool = Field(
        False, description="with `normalized`, Chinese and Japanese character by character"
    )
    case_sensitive: bool = False


UNCUT = 1  # a flag


def measure(items: Sequence[Item], params: TerParams, models: Models) -> Evidence:
    """Rows of float64, (n_items, 2): edits, mean length of the references in words."""
    tokenize = _tokenizer(params)
    words: dict[str, list[str]] = {}
    rows = np.zeros((len(items), 2), np.float64)
    cuts = not (params.normalized and params.asian_support)
    for index, item in enumerate(items):
        for text in item.references:
            if text not in words:  # twice, as sacrebleu does: where marks meet, it splits more
                words[text] = tokenize(tokenize(text)).split()
        output = tokenize(item.output).split()
        references = [words[text] for text in item.references]
        least = min(edits(output, reference) for reference in references)
        rows[index] = least, sum(map(len, references)) / len(references)
    return Evidence.of_rows(rows, [UNCUT * (cuts and spaceless(one.references)) for one in items])


def _tokenizer(params: TerParams) -> Callable[[str], str]:
    """Sacrebleu's tokenizer, past its cache: that would keep 65,536 texts of users alive."""
    from sacrebleu.tokenizers.tokenizer_ter import TercomTokenizer

    tokenizer = TercomTokenizer(**params.model_dump())
    return lambda text: TercomTokenizer.__call__.__wrapped__(tokenizer, text.rstrip())


def reduce(sums: Floats, params: TerParams) -> Floats:
    """TER of summed statistics, (..., 2) -> (..., 1), in per cent."""
    counted, length = sums[..., :1], sums[..., 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return 100 * np.where(length > 0, counted / length, np.where(counted > 0, 1.0, 0.0))


METRIC = Metric(
    name="ter",
    version=1,
    about="Edits and moves of words that turn the output into a reference, in per cent of it.",
    formula="100 · edits / words of the reference; moving a run of words is one edit",
    avoid="Open-ended answers; Chinese and Japanese without `normalized` and `asian_support`.",
    params=TerParams,
    reads=("output", "references"),
    needs=("output", "references"),
    scores=(Score("ter", higher_is_better=False, about="edits in 100 words of the reference"),),
    interval="bootstrap_t",
    pooling="pool",
    source=Source(
        paper="Snover et al. 2006, https://aclanthology.org/2006.amta-papers.25",
        reference="sacrebleu 2.6.0",
    ),
    measure=measure,
    reduce=reduce,
    libraries=("sacrebleu",),
    flags={
        UNCUT: Flag(
            "the references have no spaces between words, so a whole sentence is one word: use "
            "normalized and asian_support",
            missing=False,
        )
    },
)
