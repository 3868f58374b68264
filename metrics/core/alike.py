"""Samples that are alike while nobody said so: the field that their intervals should be over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from inference.sentences import Sentence
from metrics.core.metric import BoundMetric
from metrics.core.result import Result
from metrics.statistics.clusters import Clusters, tried
from metrics.statistics.resampling import CELLS

ALIKE = "samples of the same {field!r} are alike"
WARNING = (
    "samples of the same {field!r} are alike (design effect {effect:.1f} over {count} of them): "
    "the interval is {times:.1f} times too narrow for a set that has others; {mended} mends it"
)
TESTED = "these tests take them for independent, so they find differences that are none"
QUOTED = "(?P<quote>['\"])(?P<field>.*)(?P=quote)"
FIELD = re.compile(f"^{ALIKE.replace('{field!r}', QUOTED)} ")


def alike_fields(warnings: Iterable[str]) -> list[str]:
    """The fields that warnings of `pointed_out` name, each once."""
    found = [FIELD.match(one) for one in warnings]
    return list(dict.fromkeys(one["field"] for one in found if one is not None))


def taken_for_independent(
    warnings: Iterable[str], mended: str = "cluster={}", wrong: str = TESTED
) -> list[str]:
    """What is said, of each field that warnings of `pointed_out` name, where samples have been
    taken for independent.

    mended  how the field is named to whoever asked
    wrong   what took them so, and what comes of it
    """
    return [
        f"{ALIKE.format(field=field)}, and {wrong}: name `{mended.format(field)}`"
        for field in alike_fields(warnings)
    ]


def pointed_out(
    metric: BoundMetric,
    result: Result,
    candidates: Mapping[str, Clusters],
    mended: str = '"cluster": "{}"',
) -> Result:
    """The result, each score warning of the field by which samples are most alike, where that is
    no chance. Looks at scores of samples alone: what depends on the set has no such part.

    candidates  by their fields, of the units in the order of the result's
    mended      how the field is named to whoever measures
    """
    counted = np.flatnonzero(~result.missing)
    rows = result.settled.rows[counted]
    if metric.set_level or result.cluster or not candidates or not 1 < rows.size <= CELLS:
        return result
    fields, found = list(candidates), [one.take(counted) for one in candidates.values()]
    effects = tried(rows, found, metric.reduce)  # (F, S)
    scores = list(result.scores)
    for at in np.flatnonzero(np.isfinite(effects).any(0)).tolist():
        best = int(np.nanargmax(effects[:, at]))
        field, effect = fields[best], float(effects[best, at])
        warning = Sentence(
            WARNING,
            field=field,
            effect=effect,
            count=len(found[best].names),
            times=effect**0.5,
            mended=mended.format(field),
        )
        scores[at] = replace(scores[at], warnings=(*scores[at].warnings, warning))
    return replace(result, scores=tuple(scores))
