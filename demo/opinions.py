"""What people's votes say, as printed by the demo: systems, the people themselves, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from assay import (
    AnnotatorAnalysis,
    HeldCriterion,
    OrderAgreement,
    SystemAnalysis,
    VoteAnalysis,
    VoteEstimate,
    VotePair,
)
from demo import tables
from demo.simulated import Person

ALPHA = 0.05  # p-values below it are called beyond chance


def systems(found: Sequence[SystemAnalysis]) -> Table:
    """A system a line, the best first."""
    table = tables.plain("", "votes", "won", "strength", "rank", "could be")
    for one in found:
        rank = one.rank_interval
        table.add_row(
            one.system,
            str(one.votes),
            share(one.win_rate, one.win_rate_interval),
            number(one.strength, one.interval),
            "–" if one.rank is None else str(one.rank),
            "–" if rank is None else str(rank[0]) if rank[0] == rank[1] else f"{rank[0]}–{rank[1]}",
        )
    return table


def people(found: Sequence[AnnotatorAnalysis], planted: Mapping[str, Person]) -> Table:
    """A person a line: the planted reliability beside what gold questions and the others say."""
    table = tables.plain(
        "", "planted", "gold questions", "agrees with others", "first shown", "seconds"
    )
    for one in sorted(found, key=lambda one: list(planted).index(one.name)):
        reliability = planted[one.name].reliability
        table.add_row(
            Text(one.name, style="red" if one.outlier else ""),
            "first shown" if reliability is None else f"{reliability:.0%}",
            Text.assemble(estimated(one.gold), (f" of {one.gold.n}", "dim")),
            estimated(one.agreement),
            estimated(one.first_shown),
            "–" if one.seconds.value is None else f"{one.seconds.value:.1f}",
        )
    return table


def agreement(found: VoteAnalysis) -> str:
    """In a line how far people agree."""
    alpha, percent = found.agreement.krippendorff_alpha, found.agreement.percent
    return (
        f"Krippendorff's alpha {number(alpha.value, alpha.interval)}; two people say the same in "
        f"{estimated(percent)} of items"
    )


def held(found: HeldCriterion) -> list[str]:
    """In a line each: how often people, and each metric, order two outputs as a vote does."""
    people = f"two people order outputs alike in {share(found.people.value, found.people.interval)}"
    return [people, *(_as_people(one.name, one.agreement) for one in found.metrics)]


def _as_people(metric: str, found: OrderAgreement) -> str:
    said = f"{metric} orders outputs as a person does in {share(found.value, found.interval)}"
    opposite = found.interval is not None and found.interval[1] < 0.5
    return f"{said}: people like the opposite" if opposite else said


def counts(found: Mapping[str, int]) -> str:
    """How many of what."""
    return ", ".join(f"{count} {name}" for name, count in found.items()) or "nothing"


def verdict(pair: VotePair, ours: SystemAnalysis) -> str:
    """Whether people prefer `ours` of the two systems, as far as these votes tell."""
    if pair.p_value is None or pair.difference is None:
        reason = ours.reason or "they are too few"
        return f"These votes do not tell {pair.first} and {pair.second} apart: {reason}"
    won = f"{ours.system} won {share(ours.win_rate, ours.win_rate_interval)} of its votes"
    if pair.p_value >= ALPHA:
        return f"{won}, p {tables.p_value(pair.p_value)}: that could be chance"
    better, worse = (pair.first, pair.second)[:: 1 if pair.difference > 0 else -1]
    return f"{won}, p {tables.p_value(pair.p_value)}: people do prefer {better} to {worse}"


def accurate(value: float, interval: tuple[float, float]) -> str:
    """How a reward model does on pairs that it has not seen."""
    low, high = interval
    chance = "better than chance" if low > 0.5 else "that could be chance"
    if high < 0.5:
        chance = "worse than chance"
    return f"on held-out pairs it agrees with people in {share(value, interval)}: {chance}"


def estimated(one: VoteEstimate | None) -> str:
    """A share with its interval."""
    return "–" if one is None else share(one.value, one.interval)


def share(value: float | None, interval: tuple[float, float] | None) -> str:
    """In percent.

    >>> share(0.5, (0.25, 0.75))
    '50% [25, 75]'
    """
    if value is None:
        return "–"
    around = f" [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]" if interval else ""
    return f"{value:.0%}{around}"


def number(value: float | None, interval: tuple[float, float] | None) -> str:
    """With two digits."""
    if value is None:
        return "–"
    around = f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else ""
    return f"{value:.2f}{around}"
