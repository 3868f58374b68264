"""How many more votes would settle the order of two systems.

    d   the difference of their strengths, taken for the true one
    v   its variance under the model: what is known is worth 1 / (v · w) votes on the pair itself,
        where w is Fisher's information in one such vote
    e   by how much crossed clusters multiply the variance (the design effect)

k more votes on the pair itself leave a variance of e / (1 / v + k · w). The least k is looked for
with which a test at `alpha`, by Student's t with today's degrees of freedom, finds d with the power
asked for (`power.samples_needed`). The votes are thought to come as today's do: of more annotators
and items in proportion. A difference that is small by chance, or large, makes k too large, or too
small: look again when half of them are in.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from metrics.statistics.crossed import between
from metrics.statistics.davidson import information
from metrics.statistics.power import LEAST, MOST, samples_needed
from metrics.statistics.strengths import Strengths


@dataclass(frozen=True, slots=True)
class Settling:
    """Of two systems by their places in `systems`.

    better, worse  the one of the higher strength first
    difference     log-odds
    p_value        today's, not adjusted
    votes          how many more on this pair; 0 where it is settled, None where no number would do
                   (equal strengths) or nothing is known (no votes connect them, one cluster)
    """

    better: int
    worse: int
    difference: float
    p_value: float
    votes: int | None


def settling(found: Strengths, *, power: float = 0.8, alpha: float = 0.05) -> tuple[Settling, ...]:
    """Of each two neighbours in the order of strengths, from the best; of each component by itself.

    alpha  of each test: for all K neighbours at once give alpha / K
    """
    order = np.argsort(-found.values, kind="stable")
    order = order[np.isfinite(found.values[order])]
    pairs = []
    for component in range(int(found.graph.component.max()) + 1):
        mine = order[found.graph.component[order] == component].tolist()
        pairs += [_of_pair(found, better, worse, power, alpha) for better, worse in pairwise(mine)]
    return tuple(pairs)


def _of_pair(found: Strengths, better: int, worse: int, power: float, alpha: float) -> Settling:
    difference = float(found.differences.values[better, worse])
    p_value = float(found.differences.p_values[better, worse])
    if p_value <= alpha:
        more: int | None = 0
    else:
        more = _more(found, better, worse, power, alpha)
    return Settling(better, worse, difference, p_value, more)


def _more(found: Strengths, better: int, worse: int, power: float, alpha: float) -> int | None:
    from scipy.special import ndtr, stdtrit

    difference = float(found.differences.values[better, worse])
    used = float(found.errors.variances_between()[better, worse])
    if difference == 0.0 or not np.isfinite(used):
        return None
    model = float(between(found.fit.bread)[better, worse])
    gain = float(information(np.array(difference), found.fit.tie))
    worth = 1.0 / (model * gain)  # votes
    deviation = float(np.sqrt(used / model / gain))
    rarer = 2 * float(ndtr(stdtrit(found.errors.freedom, alpha / 2)))
    needed = samples_needed(deviation, difference, power, rarer)
    return None if needed >= MOST else max(int(np.ceil(max(needed, LEAST) - worth)), 1)
