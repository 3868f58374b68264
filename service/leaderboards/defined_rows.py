"""A defined board as it is shown: rows, parts, and who is not on it."""

from __future__ import annotations

from collections.abc import Sequence

from metrics.statistics.aggregates import Aggregate, Part
from service.figures.numbers import finite, interval
from service.leaderboards.defined_parts import Chosen
from service.leaderboards.defined_schemas import BoardPart, DefinedRow, PartValue, WithoutPart


def absent(parts: Sequence[Chosen]) -> list[WithoutPart]:
    """Systems that lack a part."""
    every = sorted({system for one in parts for system in (*one.scores, *one.others)})
    found = []
    for system in every:
        reasons = [
            f"another signature of {one.label}" if system in one.others else f"no {one.label}"
            for one in parts
            if system not in one.scores
        ]
        if reasons:
            found.append(WithoutPart(system=system, reason="; ".join(reasons)))
    return found


def shown(one: Chosen, cluster: str | None, weight: float) -> BoardPart:
    """A part as it is now; `weight` is its share of all."""
    first = next(iter(one.scores.values()), None)
    return BoardPart(
        dataset=one.dataset.name,
        version=one.dataset.version,
        dataset_id=one.dataset.id,
        score=one.score,
        slice=one.asked.slice,
        weight=weight,
        higher_is_better=first is None or first.higher_is_better,
        judged=first is None or first.judged,
        signature=one.signature,
        cluster=cluster,
        systems=len(one.scores),
    )


def rows(
    systems: Sequence[str], parts: Sequence[Chosen], made: Sequence[Part], found: Aggregate
) -> list[DefinedRow]:
    """In the order of their ranks."""
    ranks = found.ranks
    order = sorted(range(len(systems)), key=lambda at: (int(ranks.rank[at]), systems[at]))
    places = [1 + (part.worth[None, :] > part.worth[:, None]).sum(1) for part in made]
    made_rows = []
    for at, below in zip(order, [*order[1:], None], strict=True):
        values = [
            _part_value(one, systems[at], int(place[at]), bool(part.incomplete[at]))
            for one, place, part in zip(parts, places, made, strict=True)
        ]
        made_rows.append(
            DefinedRow(
                rank=int(ranks.rank[at]),
                rank_interval=ranks.interval(at),
                system=systems[at],
                value=float(found.values[at]),
                interval=interval(found.low[at], found.high[at]),
                p_vs_next=finite(ranks.p_values[at, below]) if below is not None else None,
                tie_band=int(ranks.band[at]),
                p_first=finite(found.p_first[at]),
                incomplete=sum(one.incomplete for one in values),
                parts=values,
                notes=[one.several[systems[at]] for one in parts if systems[at] in one.several],
            )
        )
    return made_rows


def _part_value(one: Chosen, system: str, rank: int, incomplete: bool) -> PartValue:
    row = one.scores[system]
    fewest = min(other.missing for other in one.scores.values())
    return PartValue(
        dataset=one.dataset.name,
        score=one.score,
        slice=one.asked.slice,
        evaluation=row.evaluation_id,
        value=row.value,
        interval=row.interval,
        rank=rank,
        n=row.n,
        incomplete=max(1, row.missing - fewest) if incomplete else 0,
    )
