"""Metrics whose evidence is claims: what they share in their declarations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from inference.protocol import Models
from metrics.core.evidence import Evidence
from metrics.core.metric import Given, Item, Metric, Reads, Score, Source
from metrics.core.rows import Floats, Ints, Settled, average, mean
from metrics.entailment import claims
from metrics.entailment.model import NliParams

P = TypeVar("P", bound=NliParams)


def of_claims(
    *,
    name: str,
    about: str,
    formula: str,
    avoid: str,
    params: type[P],
    reads: tuple[Reads, ...],
    needs: Given[Reads, P],
    scores: Given[Score, P],
    source: Source,
    measure: Callable[[Sequence[Item], P, Models], Evidence],
    single: Callable[[Evidence, P], Floats],
    threshold: Callable[[P], float] = lambda params: 0.5,
) -> Metric[P]:
    """A metric of rows (value, ..., 1), whose value is the mean over samples.

    measure  claims with their probabilities, as metrics/entailment/claims.py has them
    single   (n_items, n_scores) each item's own values
    threshold  the probability from which on a verdict is given

    The other fields are those of `Metric`.
    """

    def settle(evidence: Evidence, unit: Ints, chosen: P) -> Settled:
        values = single(evidence, chosen)
        return Settled(average(np.hstack([values, np.ones((len(values), 1))]), unit))

    return Metric(
        name=name,
        version=1,
        about=about,
        formula=formula,
        avoid=avoid,
        params=params,
        reads=reads,
        needs=needs,
        scores=scores,
        interval="wilson",
        source=source,
        measure=measure,
        settle=settle,
        single=single,
        verdicts=lambda evidence, chosen: claims.shown(evidence, threshold(chosen)),
        reduce=mean,
        libraries=("transformers", "razdel", "sentencex"),
        models=lambda chosen: (chosen.model,),
        model_kind="labels",
        flags=claims.FLAGS,
        plan=claims.plan,
        cached=True,
    )
