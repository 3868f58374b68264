"""Agreement of those who voted, on items that several of them have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from metrics.core.rows import Floats
from metrics.statistics.agreement import fleiss, krippendorff, percent
from metrics.statistics.annotations import Annotations
from service.vote_analyses.ballots import Ballots
from service.vote_analyses.numbers import estimate
from service.vote_analyses.schemas import PanelAgreementOut

Likeness = Literal["nominal", "ordinal"]
# a tie stands between the two; a 4 is nearer to a 5 than a 1
DISTANCES: Mapping[str, Likeness] = {"pairwise": "ordinal", "likert": "ordinal"}
ALONE = "no item has the votes of two people: nobody can be compared"
ALIKE = "all answers are the same: chance would agree as well"


def agreement(ballots: Ballots) -> PanelAgreementOut:
    """Krippendorff's alpha, Fleiss' kappa and percent agreement, with intervals over items."""
    table = _packed(ballots.annotations(compared(ballots)))
    units = len(table)
    distance = DISTANCES.get(ballots.form, "nominal")
    reason = ALIKE if units else ALONE
    return PanelAgreementOut(
        krippendorff_alpha=estimate(krippendorff(table, distance), reason),
        fleiss_kappa=estimate(fleiss(table), reason),
        percent=estimate(percent(table), reason),
        distance=distance,
        units=units,
    )


def compared(ballots: Ballots) -> Floats:
    """(n,) what two people can say alike: of edits, whether anything was changed."""
    value = ballots.value
    return (value < 1).astype(np.float64) if ballots.form == "edit" else value


def _packed(said: Annotations) -> Floats:
    """(units, most) the values of items that two people or more have, in any order, then NaN: as
    wide as an item has votes, not as there are people."""
    many = np.bincount(said.item, minlength=said.items)
    order = np.argsort(said.item, kind="stable")
    item = said.item[order]
    place = np.arange(len(item)) - (np.cumsum(many) - many)[item]
    table = np.full((said.items, int(many.max(initial=0))), np.nan)
    table[item, place] = said.value[order]
    return table[many > 1]
