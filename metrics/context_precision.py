"""Context precision: whether useful contexts stand before useless ones, as average precision.

Conventions
    A context of the metadata's `contexts`, best first, is useful where one of its sentences (or
    paragraphs, or the whole of it, by `unit`) entails a sentence of a reference, the right answer,
    with a probability of at least `threshold`, by a model of natural language inference. The value
    is average precision, RAGAS's formula: the mean, over useful contexts, of the share of useful
    ones among those down to it; 0 where none is useful. 0..1, higher is better. The output is not
    looked at. References without a sentence are missing, not 0. A context without a sentence
    is of no use. The probability of each context is kept.
    Retrieval that is judged by ids needs no model: the metric `ranking`. Published models: see
    `nli`.

Es, James, Espinosa-Anke, Schockaert: RAGAS (2023); there a language model says what is useful.

Example
    >>> METRIC.bind({"model": "my-nli-model"}).needs
    ('references', 'contexts')
    >>> average_precision(np.array([True, False, True])).__round__(4)
    0.8333
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inference.protocol import Models
from metrics.core.evidence import FLAG, Evidence
from metrics.core.metric import Item, Score, Source, settle_only
from metrics.core.rows import Floats, Ints
from metrics.entailment import claims
from metrics.entailment.claims import Case
from metrics.entailment.declaring import of_claims
from metrics.entailment.model import NliParams
from metrics.text.segments import sentences_of


class ContextPrecisionParams(NliParams):
    """The model, and from when on a context is useful."""

    threshold: float = settle_only(
        0.5, gt=0, le=1, description="probability of entailment from which on it is useful"
    )


def case(item: Item, params: ContextPrecisionParams) -> Case:
    """The references' sentences against the units of the item's contexts."""
    claimed = [(sentence, 0) for text in item.references for sentence in sentences_of(text)]
    return Case(claimed, [u for text in item.contexts for u in claims.units(text, params.unit)])


def measure(items: Sequence[Item], params: ContextPrecisionParams, models: Models) -> Evidence:
    """`entailment` of each context of an item: the most over its units and the references'."""
    alone = [item._replace(contexts=(text,)) for item in items for text in item.contexts]
    found = claims.measure(alone, params, models, partial(case, params=params))
    codes = found[FLAG].astype(np.int64)
    said = claims.by_item(found, lambda part: [float(found["entailment"][part].max())], 1)[:, 0]
    ends = np.cumsum([0, *(len(item.contexts) for item in items)]).tolist()
    own = [slice(start, stop) for start, stop in pairwise(ends)]
    return Evidence.of_ragged(
        {"entailment": [said[part] for part in own]},
        {FLAG: np.array([_flag(codes[part]) for part in own], np.uint8)},
    )


def _flag(codes: Ints) -> int:
    """Of an item, by those of its contexts: one without a sentence is of no use, not missing."""
    present = set(codes.tolist()) - {claims.NO_SOURCE}
    if not present:
        return claims.NO_SOURCE
    return next((c for c in (claims.NO_CLAIM, claims.TOO_MANY, claims.CUT) if c in present), 0)


def average_precision(useful: NDArray[np.bool_]) -> float:
    """Of (n,) contexts in their order; 0 where none is useful."""
    ranks = np.flatnonzero(useful) + 1
    return float((np.arange(1, len(ranks) + 1) / ranks).mean()) if len(ranks) else 0.0


def single(evidence: Evidence, params: ContextPrecisionParams) -> Floats:
    """(n_items, 1) each item's average precision."""
    useful = evidence["entailment"].astype(np.float64) >= params.threshold
    return claims.by_item(evidence, lambda part: [average_precision(useful[part])], 1)


METRIC = of_claims(
    name="context_precision",
    about="Whether contexts that support the right answer stand before those that do not.",
    formula="Σ_k precision@k · useful_k / Σ_k useful_k, useful by entailment of the reference",
    avoid="References of a word or two; contexts that are useful only together with another.",
    params=ContextPrecisionParams,
    reads=("references", "contexts"),
    needs=("references", "contexts"),
    scores=(Score("context_precision", True, high=1.0, about="mean of average precision"),),
    source=Source(
        "Es et al. 2023, arXiv:2309.15217", "the definition, with `transformers` called by hand"
    ),
    measure=measure,
    single=single,
    threshold=lambda params: params.threshold,
)
