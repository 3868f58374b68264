"""What is said of a board: how pairs were tested, what to beware of, who is not on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from metrics.community import people
from metrics.core.alike import taken_for_independent
from metrics.core.signature import difference
from metrics.statistics.diagnostics import FEW
from service.evaluations.scores import Score
from service.leaderboards.history import Run
from service.leaderboards.paired import FITTED, REPORTED
from service.leaderboards.schemas import LeftOut
from service.leaderboards.slices import Slice
from service.leaderboards.standings import MOST_TESTED, Standings
from service.leaderboards.store import BoardScore

NAMED = 5  # systems that a warning names
NEVER = {people.FITTED: FITTED, "reported": REPORTED}  # why values of a kind have no rows


def tests(shown: Sequence[BoardScore], found: Standings, field: str | None) -> str | None:
    """How the pairs were tested, in words."""
    pairs = len(shown) * (len(shown) - 1) // 2
    if not pairs:
        return None
    if len(shown) > MOST_TESTED:
        return (
            f"no pair: {len(shown)} systems' own intervals, widened for {pairs} pairs (Bonferroni)"
        )
    if found.tested < 2:
        return None
    error = "the error of the systems' paired replicates"
    if shown[0].interval_method == "jackknife":
        error = "the error of exchanging answers" if found.exchanged else "the jackknife's error"
    how = f"Student's t with {error}"
    if field is not None:
        how += f" over clusters ({field})"
    if found.uneven:
        how += ", over the samples that both have where these differ"
    return f"{how}; Holm over {pairs} pair{'s' if pairs > 1 else ''}"


def warnings(
    shown: Sequence[BoardScore],
    found: Standings,
    names: Sequence[str] | None,
    *,
    tested: bool,
    over: Slice | None = None,
) -> list[str]:
    """What to know before the board is quoted.

    names   (n,) the clusters of the samples, where there are any
    tested  whether pairs were to be tested
    over    the slice that the board is of
    """
    told = [] if over is None else over.warnings(shown)
    told += _gaps(shown, found)
    gone = len(shown) - found.tested
    if found.refused is not None:
        told.append(f"no pair is tested: {found.refused}")
    elif tested and gone and (over is None or not over.untestable):
        told += _without_rows(shown, gone)
    groups = len(set(names)) if names is not None else FEW
    if groups < FEW:
        told.append(f"only {groups} clusters: ranks and p-values are rough")
    fewest = min((row.n for row in shown), default=FEW)
    if names is None and over is None and fewest < FEW:
        told.append(f"only {fewest} samples: ranks and p-values are rough")
    return told if names is not None else [*told, *dependent(shown)]


def _without_rows(shown: Sequence[BoardScore], gone: int) -> list[str]:
    """Why `gone` of the systems are not tested: some kinds of values never have rows."""
    told = []
    for method, reason in NEVER.items():
        count = sum(row.interval_method == method for row in shown)
        gone -= count
        if count:
            told.append(f"{count} of {len(shown)} systems are not tested: {reason}")
    if gone > 0:
        told.append(
            f"{gone} of {len(shown)} systems have no stored rows any more, or those of an earlier "
            "version of the metric: not tested"
        )
    return told


def _gaps(shown: Sequence[BoardScore], found: Standings) -> list[str]:
    """Who has no value where others have one, and what comes of it."""
    in_common = (
        f" All systems have values on {found.in_common} samples."
        if found.in_common is not None
        else ""
    )
    kinds = (
        (
            found.incomplete,
            "have no value on samples on which others have one: {named}. They stand behind the "
            "complete ones, are called better than nobody, and are tested over the samples that "
            "both of a pair have.",
        ),
        (
            found.unvoted,
            "have outputs without a vote on samples on which others have one: {named}. That counts "
            "against nobody: each value is over the samples with votes (n), and pairs are tested "
            "over those that both have.",
        ),
    )
    told = []
    for counts, said in kinds:
        lacking = [
            f"{row.system} ({lost})"
            for row, lost in zip(shown, counts.tolist(), strict=True)
            if lost
        ]
        if lacking:
            named = ", ".join(lacking[:NAMED]) + (", …" if len(lacking) > NAMED else "")
            told.append(
                f"{len(lacking)} of {len(shown)} systems {said.format(named=named)}{in_common}"
            )
    return told


def dependent(scores: Iterable[Score]) -> list[str]:
    """What is said where tests take samples for independent that evaluations found alike."""
    return taken_for_independent(warning for one in scores for warning in one.warnings)


def left_out(rows: Sequence[BoardScore], there: set[str], chosen: str) -> list[LeftOut]:
    """Systems whose values have other signatures alone, or were asked by another protocol."""
    absent: dict[str, BoardScore] = {}
    for row in rows:
        if row.system not in there:
            absent.setdefault(row.system, row)
    return [
        LeftOut(
            system=row.system,
            evaluation=row.evaluation_id,
            signature=row.signature,
            reason="another signature: " + "; ".join(difference(chosen, row.signature))
            if row.signature != chosen
            else f"another protocol: {row.prompted}",
        )
        for row in absent.values()
    ]


def unvalued(rows: Sequence[BoardScore], made: Sequence[Run], version: int) -> list[LeftOut]:
    """Systems that have been evaluated on the dataset, but have no value here."""
    valued = {row.system for row in rows}
    newest: dict[str, Run] = {}
    for one in made:  # newest first, those on this version before others
        kept = newest.setdefault(one.system, one)
        if kept.dataset_version != version == one.dataset_version:
            newest[one.system] = one
    return [
        LeftOut(
            system=one.system,
            evaluation=one.id,
            signature=None,
            reason=f"no value of {rows[0].label}"
            if one.dataset_version == version
            else f"evaluated on version {one.dataset_version} of the dataset",
        )
        for one in newest.values()
        if one.system not in valued
    ]
