"""One score of two evaluations, with the errors of both: what gates and the power analysis ask."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from inference.errors import ReportedError
from metrics.core.alignment import Grouping, refused_score
from metrics.core.differences import Values, match, own_values, values
from metrics.core.metric import BoundMetric
from metrics.core.metric import Score as Declared
from metrics.core.names import hint
from metrics.core.rows import Floats
from service.errors import invalid
from service.evaluations.scores import Score
from service.leaderboards.paired import GONE, PairedResult


@dataclass(frozen=True, slots=True)
class Pairing:
    """One score of two evaluations over the samples that count in both.

    values      with their errors
    own         (n,), (n,) the samples' own values, where the score is their mean
    unanswered  samples on which the second has a value and the first has none that it could have
    names       (n,) the samples' clusters, where there are any
    """

    metric: BoundMetric
    score: Declared
    values: Values
    own: tuple[Floats, Floats] | None
    unanswered: int
    names: Sequence[str] | None


def score_named(scores: Sequence[Score], name: str, param: str) -> Score:
    """The whole set's score called so, or the only one of the metric called so. Raises 422."""
    whole = [one for one in scores if not one.slice and one.value is not None]
    found = [one for one in whole if one.name == name] or [
        one for one in whole if one.metric == name
    ]
    if not found:
        there = sorted({one.name for one in whole})
        message = f"the evaluation has no value of {name!r}; {hint(name, there)}"
        raise invalid("unknown_score", message, param)
    names = {one.name for one in found}
    if len(names) > 1:
        message = f"{name!r} has several scores: name one of {', '.join(sorted(names))}"
        raise invalid("ambiguous_score", message, param)
    return found[0]


def counterpart(scores: Sequence[Score], of: Score) -> Score | None:
    """The same score of another evaluation, of the same signature where there are several."""
    alike = [one for one in scores if not one.slice and one.name == of.name]
    same = [one for one in alike if one.signature == of.signature]
    return next(iter(same or alike), None)


def pairing(
    a: PairedResult | None,
    b: PairedResult | None,
    *,
    chosen: Collection[str] | None = None,
    grouping: Grouping | None = None,
    lacking: str = GONE,
) -> Pairing:
    """The score of both, over the samples of a slice if some are `chosen`. Raises ReportedError
    where the two cannot be compared; `lacking` says why, where one has no result."""
    if a is None or b is None:
        raise ReportedError(lacking)
    why = refused_score(a.declared, *(one.result.scores[one.index] for one in (a, b)))
    if why is not None:
        raise ReportedError(why)
    units = match(a.metric, a.side, b.side, chosen=chosen, grouping=grouping)
    own_a = own_values(a.metric, a.side, units.at_a, a.index)
    own_b = own_values(a.metric, b.side, units.at_b, a.index)
    return Pairing(
        metric=a.metric,
        score=a.declared,
        values=values(a.metric, a.side, b.side, units, a.index),
        own=(own_a, own_b) if own_a is not None and own_b is not None else None,
        unanswered=units.unanswered,
        names=units.drawn_by if units.grouped else None,
    )
