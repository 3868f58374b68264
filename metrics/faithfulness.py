"""Faithfulness: the share of an answer's sentences that its evidence supports, by entailment.

Conventions
    Claims are the output's sentences (razdel's for Russian, sentencex's elsewhere; those without
    letter or digit are left out). A model of natural language inference holds each against every
    sentence of the evidence, and each gets a verdict, as in FEVER and FactCC: supported, where the
    highest probability of entailment is at least `threshold` and no lower than that of
    contradiction; refuted, where that of contradiction is; else not enough. The value is the share
    of supported sentences, `faithfulness_refuted` that of refuted ones; 0..1; several outputs are
    averaged. An answer without a sentence is missing, not 0.
    Evidence is the metadata's `contexts` where a sample has them, else its prompt; `evidence` asks
    for one of them alone. `unit` cuts it into paragraphs, or not at all: for claims that follow
    from several sentences together; what is longer than the model reads loses its end and is
    flagged. Verdicts are kept with the sample: the sentence, both probabilities, and what of the
    evidence speaks for them. A model of two labels refutes where the other is called INCORRECT (as
    FactCC's) and never where it is `not_entailment`. Published models: see the metric `nli`.

Es et al. (RAGAS, 2023) have a language model write the claims down; here no text is written.
Verdicts: Thorne et al. (FEVER, 2018), Kryściński et al. (FactCC, 2020).

Example
    >>> bound = METRIC.bind({"model": "my-nli-model", "threshold": 0.8})
    >>> bound.score_names
    ('faithfulness', 'faithfulness_refuted')
    >>> claims.verdicts(np.array([0.9, 0.1, 0.2]), np.array([0.0, 0.85, 0.3]), 0.8).tolist()
    [1, -1, 0]
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from pydantic import Field

from inference.protocol import Models
from metrics.core import grounding
from metrics.core.evidence import Evidence
from metrics.core.grounding import Grounding
from metrics.core.metric import Item, Score, Source, settle_only
from metrics.core.rows import Floats
from metrics.entailment import claims
from metrics.entailment.claims import Case
from metrics.entailment.declaring import of_claims
from metrics.entailment.model import NliParams
from metrics.text.segments import sentences_of


class FaithfulnessParams(NliParams):
    """What the answer has to follow from, and from when on it does."""

    evidence: Grounding = Field("auto", description=grounding.ABOUT)
    threshold: float = settle_only(
        0.5, gt=0, le=1, description="probability from which on a verdict is given"
    )


def case(item: Item, params: FaithfulnessParams) -> Case:
    """The answer's sentences against the units of its evidence."""
    texts = grounding.texts(item, params.evidence)
    sources = [part for text in texts for part in claims.units(text, params.unit)]
    return Case([(sentence, 0) for sentence in sentences_of(item.output)], sources)


def measure(items: Sequence[Item], params: FaithfulnessParams, models: Models) -> Evidence:
    """Claims with their probabilities: see metrics/entailment/claims.py."""
    return claims.measure(items, params, models, partial(case, params=params))


def single(evidence: Evidence, params: FaithfulnessParams) -> Floats:
    """(n_items, 2) shares of supported and of refuted sentences."""
    entails, contradicts = (
        evidence[name].astype(np.float64) for name in ("entailment", "contradiction")
    )
    said = claims.verdicts(entails, contradicts, params.threshold)
    return claims.by_item(
        evidence, lambda part: [float((said[part] == one).mean()) for one in (1, -1)], 2
    )


METRIC = of_claims(
    name="faithfulness",
    about="Share of the answer's sentences that the retrieved texts support, by entailment.",
    formula="sentences of the answer entailed by a sentence of the contexts / its sentences",
    avoid=(
        "Answers whose sentences need several sentences together, unless `unit` is larger; many "
        "sentences refute by chance, so read `faithfulness_refuted` with its verdicts."
    ),
    params=FaithfulnessParams,
    reads=("output", "prompt", "contexts"),
    needs=lambda params: grounding.reads(params.evidence),
    scores=(
        Score("faithfulness", True, high=1.0, about="share of supported sentences"),
        Score("faithfulness_refuted", False, high=1.0, about="share of refuted sentences"),
    ),
    source=Source(
        "Es et al. 2023, arXiv:2309.15217; Thorne et al. 2018, arXiv:1803.05355",
        "the definition, with `transformers` called by hand",
    ),
    measure=measure,
    single=single,
    threshold=lambda params: params.threshold,
)
