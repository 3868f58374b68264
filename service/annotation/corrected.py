"""Scores by people that a model's answers make narrower (PPI++).

What the model says of items that nobody judged counts as far as it goes with people on those that
they did: the mean is people's, whatever the model is worth. That holds where these are a random
part, as they are where items are given out in their order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics import ppi
from metrics.statistics.clusters import Clusters, clusters
from metrics.statistics.estimates import UNKNOWN, Estimate
from metrics.statistics.intervals import bootstrap_t
from metrics.statistics.weights import totals
from service.annotation.board_schemas import CorrectedScoreOut
from service.annotation.judgements_store import Answered
from service.annotation.shares import Scale, scales, shares
from service.annotation.store import Project
from service.figures.numbers import finite, interval

LEAST_RATED = 20  # samples that people judged, to correct by
CHOSEN = "items were chosen by earlier votes: those that people judged are no random part"
FEW = "people judged {} of these samples, and {} are the least"
Row = tuple[str, float, float]  # an item's sample, the model's value, people's mean or NaN


def corrected(
    project: Project, people: Sequence[Answered], own: Sequence[Answered], level: float
) -> Iterator[CorrectedScoreOut]:
    """By score and system, of the items that the model judged."""
    known = scales(project)
    for (score, system), rows in sorted(_rows(project, people, own).items()):
        samples, values, ratings = zip(*rows, strict=True)
        drawn, f, y = clusters(samples), np.array(values), np.array(ratings)
        there = np.isfinite(y)
        rated = len(np.unique(drawn.of[there]))
        why = FEW.format(rated, LEAST_RATED) if rated < LEAST_RATED else None
        if project.definition["items"] == "most_informative":
            why = CHOSEN
        found = UNKNOWN if why is not None else _mean(drawn, f, y, known[score], level)
        yield CorrectedScoreOut(
            score=score,
            system=system,
            model=float(f.mean()),
            people=float(y[there].mean()) if rated else None,
            value=finite(found.value),
            interval=interval(found.low, found.high),
            n=len(drawn.names),
            rated=rated,
            reason=why,
        )


def _rows(
    project: Project, people: Sequence[Answered], own: Sequence[Answered]
) -> dict[tuple[str, str], list[Row]]:
    rated: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for one in people:
        for score, system, value in shares(project, one):
            rated[score, system, one.item_id].append(value)
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for one in own:
        for score, system, value in shares(project, one):
            said = rated.get((score, system, one.item_id))
            found[score, system].append((one.unit, value, fmean(said) if said else np.nan))
    return found


def _mean(samples: Clusters, f: Floats, y: Floats, scale: Scale, level: float) -> Estimate:
    rows = samples.pooled(ppi.rows(f, y))
    ends = np.array([scale.low]), np.array([scale.high])
    found = bootstrap_t(rows, samples.keys, _of_sums, level=level, bounds=ends)
    value = float(_of_sums(totals(rows))[0])
    return Estimate(value, float(found.low[0]), float(found.high[0]))


def _of_sums(sums: Floats) -> Floats:
    return ppi.of_sums(sums)[..., None]
