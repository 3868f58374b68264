"""NLI: how far each sentence of the output follows from some sentence of its source (SummaC-ZS).

Conventions
    Source and output are cut into sentences: razdel's for Russian, sentencex's elsewhere. A model
    of natural language inference reads every pair; a sentence's score is the highest probability of
    entailment over the source's sentences, an output's the mean over its sentences. With
    `contradiction` the highest probability of contradiction is subtracted, as SummaC's package does
    unless told otherwise; `over: min` takes the worst sentence. 0..1 (from -1 with
    `contradiction`), higher is better; several outputs are averaged.
    `source` says what the output has to follow from: the prompt, which of a summary is the
    document, the metadata's `contexts`, or the references, all of them together. `unit` cuts it
    into paragraphs or not at all. Sentences without letter or digit are left out; an output or a
    source without any sentence is missing, not 0. A pair that is longer than the model reads loses
    the end of its longer text and is flagged. Any sequence-classification model whose labels name
    `entailment` will do; labels are found by name. Published ones: tals/albert-xlarge-vitaminc-mnli
    (SummaC's), MoritzLaurer/DeBERTa-v3-large-mnli-fever-anli-ling-wanli, for Russian, Chinese,
    Arabic MoritzLaurer/mDeBERTa-v3-base-xnli-multilingual-nli-2mil7. Each sentence's numbers and
    the source's sentence behind them are kept.

Laban, Schnabel, Bennett, Hearst: SummaC (TACL 2022). SummaC leaves out sentences of up to ten
characters and reads 100 of a document; this does neither.

Example
    >>> bound = METRIC.bind({"model": "my-nli-model"})
    >>> bound.models, bound.needs
    (('my-nli-model',), ('prompt',))
    >>> METRIC.bind({"model": "my-nli-model", "source": "contexts"}).needs
    ('contexts',)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Reads, Score, Source, settle_only
from metrics.core.rows import Floats
from metrics.entailment import claims
from metrics.entailment.claims import Case
from metrics.entailment.declaring import of_claims
from metrics.entailment.model import NliParams
from metrics.text.segments import sentences_of


class NliScoreParams(NliParams):
    """Where the source stands, and how pairs become a number."""

    source: Literal["prompt", "contexts", "references"] = Field(
        "prompt", description="what the output has to follow from"
    )
    contradiction: bool = settle_only(
        False, description="subtract the probability of contradiction, as SummaC's package does"
    )
    over: Literal["mean", "min"] = settle_only("mean", description="over the output's sentences")


def needs(params: NliScoreParams) -> tuple[Reads, ...]:
    """The source."""
    return (params.source,)


def scores(params: NliScoreParams) -> tuple[Score, ...]:
    """From -1 where contradiction is subtracted."""
    low = -1.0 if params.contradiction else 0.0
    return (Score("nli", True, low, 1.0, "how far the output follows from its source"),)


def case(item: Item, params: NliScoreParams) -> Case:
    """The output's sentences against the source's units."""
    texts = {
        "prompt": (item.prompt or "",),
        "contexts": item.contexts,
        "references": item.references,
    }[params.source]
    sources = [part for text in texts for part in claims.units(text, params.unit)]
    return Case([(sentence, 0) for sentence in sentences_of(item.output)], sources)


def measure(items: Sequence[Item], params: NliScoreParams, models: Models) -> Evidence:
    """Claims with their probabilities: see metrics/entailment/claims.py."""
    return claims.measure(items, params, models, partial(case, params=params))


def single(evidence: Evidence, params: NliScoreParams) -> Floats:
    """(n_items, 1) each output's score."""
    scored = evidence["entailment"].astype(np.float64)
    if params.contradiction:
        scored = scored - evidence["contradiction"].astype(np.float64)
    pick = np.mean if params.over == "mean" else np.min
    return claims.by_item(evidence, lambda part: [float(pick(scored[part]))], 1)


METRIC = of_claims(
    name="nli",
    about="How far the output's sentences follow from its source, by a model of entailment.",
    formula="mean over the output's sentences of max over the source's of P(entailment)",
    avoid=(
        "Claims that follow from several sentences only together; arithmetic. The model's own "
        "faults and its language are the metric's."
    ),
    params=NliScoreParams,
    reads=("output", "prompt", "references", "contexts"),
    needs=needs,
    scores=scores,
    source=Source(
        "Laban et al. 2022, arXiv:2111.09525",
        "SummaC-ZS's arithmetic with `transformers` called by hand, within 1e-5",
    ),
    measure=measure,
    single=single,
)
