"""Context recall: the share of the reference's sentences that the retrieved contexts support.

Conventions
    The reference is the right answer. Its sentences (razdel's for Russian, sentencex's elsewhere;
    those without letter or digit are left out) are held by a model of natural language inference
    against every sentence of the metadata's `contexts`, or against paragraphs or whole contexts by
    `unit`. A sentence counts where the highest probability of entailment is at least `threshold`.
    Of several references the one counts that is supported best. 0..1, higher is better. The output
    is not looked at: this is about what was retrieved. References without a sentence are missing,
    not 0. Which context's sentence speaks for which of the reference's is kept. Retrieval that is
    judged by ids needs no model: `recall` of the metric `ranking`. Published models: see `nli`.

Es, James, Espinosa-Anke, Schockaert: RAGAS (2023); there a language model says what is supported.

Example
    >>> METRIC.bind({"model": "my-nli-model"}).needs
    ('references', 'contexts')
    >>> best(np.array([0.9, 0.2, 0.7]), np.array([0, 0, 1]), 0.5)
    1.0
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Item, Score, Source, settle_only
from metrics.core.rows import Floats, Ints
from metrics.entailment import claims
from metrics.entailment.claims import Case
from metrics.entailment.declaring import of_claims
from metrics.entailment.model import NliParams
from metrics.text.segments import sentences_of


class ContextRecallParams(NliParams):
    """The model, and from when on a sentence is supported."""

    threshold: float = settle_only(
        0.5, gt=0, le=1, description="probability of entailment from which on it is supported"
    )


def case(item: Item, params: ContextRecallParams) -> Case:
    """Each reference's sentences against the contexts' units."""
    claimed = [
        (sentence, group)
        for group, reference in enumerate(item.references)
        for sentence in sentences_of(reference)
    ]
    return Case(claimed, [u for text in item.contexts for u in claims.units(text, params.unit)])


def measure(items: Sequence[Item], params: ContextRecallParams, models: Models) -> Evidence:
    """Claims with their probabilities: see metrics/entailment/claims.py."""
    return claims.measure(items, params, models, partial(case, params=params))


def best(entails: Floats, group: Ints, threshold: float) -> float:
    """The highest share of supported sentences of any reference; (n,) each sentence's own."""
    supported = entails >= threshold
    return max(float(supported[group == one].mean()) for one in np.unique(group))


def single(evidence: Evidence, params: ContextRecallParams) -> Floats:
    """(n_items, 1) each item's recall."""
    entails = evidence["entailment"].astype(np.float64)
    group = evidence["group"].astype(np.int64)
    return claims.by_item(
        evidence, lambda part: [best(entails[part], group[part], params.threshold)], 1
    )


METRIC = of_claims(
    name="context_recall",
    about="Share of the right answer's sentences that the retrieved contexts support.",
    formula="sentences of the reference entailed by a sentence of the contexts / its sentences",
    avoid="References of a word or two: they claim nothing by themselves; write sentences.",
    params=ContextRecallParams,
    reads=("references", "contexts"),
    needs=("references", "contexts"),
    scores=(Score("context_recall", True, high=1.0, about="share of supported sentences"),),
    source=Source(
        "Es et al. 2023, arXiv:2309.15217", "the definition, with `transformers` called by hand"
    ),
    measure=measure,
    single=single,
    threshold=lambda params: params.threshold,
)
