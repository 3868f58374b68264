"""Repetition: how many of an output's n-grams stood in it before (seq-rep-n).

Conventions
    1 − distinct n-grams / n-grams of one output, as Welleck et al. count it, n 4 unless told;
    averaged over a sample's outputs, then over samples. 0: nothing is repeated; near 1: a loop.
    Lower is better. An output with fewer than n tokens, an empty one too, has no n-gram and counts
    as missing. Long texts repeat more than short ones: compare outputs of like lengths.
    Tokens are words of any script, lower-cased, unless told.

Welleck, Kulikov, Roller, Dinan, Cho, Weston: Neural Text Generation with Unlikelihood Training
(ICLR 2020).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> sample = Sample("1", outputs=("и снова, и снова, и снова",))
    >>> (result,) = score([sample], [METRIC.bind({"n": 2})])
    >>> result.scores[0].value  # 2 of 5 pairs are new
    0.6
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Flag, Item, Metric, Params, Score, Source
from metrics.core.rows import Floats, Ints, mean
from metrics.text.passages import spans
from metrics.text.repeats import repeated
from metrics.text.tokens import Cut, codes

BATCH = 100_000  # characters at a time: what they are made into stays in the cache
TOO_SHORT = 1  # the flag of an output without n-grams


class RepetitionParams(Params):
    """What a token is, and how many make an n-gram."""

    n: int = Field(4, ge=1, le=64, description="tokens of an n-gram")
    tokenizer: Cut = Field(
        "words",
        description="`words`: letters and digits of any script, Han, kana and emoji one by one; "
        "`whitespace`; `characters`",
    )
    lowercase: bool = True


def measure(items: Sequence[Item], params: RepetitionParams, models: Models) -> Evidence:
    """Rows (n_items, 2): share of repeated n-grams, 1."""
    texts = [item.output for item in items]
    sizes = np.array(list(map(len, texts)), np.int64) + 1
    parts = [_of_batch(texts[low:high], params) for low, high in spans(sizes, BATCH)]
    values = np.concatenate([values for values, _ in parts] or [np.zeros(0)])
    flags = np.concatenate([flags for _, flags in parts] or [np.zeros(0, np.int64)])
    return Evidence.of_rows(np.column_stack([values, np.ones(len(values))]), flags.tolist())


def _of_batch(texts: Sequence[str], params: RepetitionParams) -> tuple[Floats, Ints]:
    """Shares and flags, each (n_texts,)."""
    tokens = codes(texts, params.tokenizer, params.lowercase)
    totals = tokens.sizes - params.n + 1
    distinct = totals - repeated(tokens, params.n)
    values = np.where(totals > 0, 1 - distinct / np.maximum(totals, 1), 0.0)
    return values, np.where(totals > 0, 0, TOO_SHORT)


METRIC = Metric(
    name="repetition",
    version=1,
    about="Share of an output's n-grams that it has said before: loops and stuttering.",
    formula="1 − distinct 4-grams / 4-grams of an output",
    avoid="Outputs of unlike lengths, verse, code and tables: they repeat on purpose.",
    params=RepetitionParams,
    reads=("output",),
    needs=(),
    scores=(Score("seq_rep", higher_is_better=False, high=1, about="share of repeated n-grams"),),
    interval="wilson",
    pooling="average",
    source=Source(
        paper="Welleck et al. 2020, https://arxiv.org/abs/1908.04319", reference="the definition"
    ),
    measure=measure,
    reduce=mean,
    libraries=lambda params: ("regex",) if params.tokenizer == "words" else (),
    flags={TOO_SHORT: Flag("fewer than n tokens: nothing could be repeated", missing=True)},
)
