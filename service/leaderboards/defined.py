"""A defined board computed: the systems that stand in every part, and their values put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from metrics.statistics.aggregates import Aggregate, Part, by_ranks, linear, shares, z_scores
from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.errors import ApiError
from service.leaderboards import defined_store, slices
from service.leaderboards.boards import NothingHere, commonest_field, stand
from service.leaderboards.boards_store import BoardKey
from service.leaderboards.defined_schemas import (
    BoardPart,
    BoardPartIn,
    DefinedBoard,
    DefinedBoardIn,
    DefinedRow,
    PartValue,
    WithoutPart,
)
from service.leaderboards.defined_store import Defined
from service.leaderboards.pair_tests import lacking, pairs_between
from service.leaderboards.paired import PairedResult, paired_results
from service.leaderboards.standings import MOST_TESTED
from service.leaderboards.store import BoardScore, named
from service.settings import Settings

LEVEL = 0.95
BY_RANK = "ranks of all pairs of all parts, Holm over {}; apart where the mean ranks must differ"
BY_SUM = (
    "Student's t with the errors of the parts' replicates, independent between datasets; "
    "Holm over {}"
)


@dataclass(slots=True)
class Chosen:
    """A part, and the score of each system that stands in it, with notes on those that do in more
    than one way. `others`: systems with another signature alone."""

    asked: BoardPartIn
    dataset: Dataset
    score: str
    signature: str
    scores: dict[str, BoardScore]
    several: dict[str, str]
    others: set[str]

    @property
    def label(self) -> str:
        """What it is of, for people."""
        over = f" for {self.asked.slice}" if self.asked.slice else ""
        return f"{self.score}{over} on {self.dataset.name}@{self.dataset.version}"


def refresh(db: Connection, settings: Settings, stored: Defined) -> DefinedBoard:
    """The board with all that has landed; what is computed is kept."""
    asked = DefinedBoardIn.model_validate({"name": stored.name, **stored.definition})
    there = [datasets.require(db, part.dataset) for part in asked.parts]
    known = defined_store.known(db, there)
    if stored.content is not None and stored.known == known:
        return DefinedBoard.model_validate_json(stored.content)
    defined_store.lock(db, stored.name)
    current = defined_store.find(db, stored.name)
    if current is not None and current.content is not None and current.known == known:
        return DefinedBoard.model_validate_json(current.content)
    board = compute(db, settings, asked)
    defined_store.keep(db, stored.name, known, board.model_dump_json())
    return board


def is_over(db: Connection, stored: Defined, dataset: Dataset) -> bool:
    """Whether a part of the board is on some version of the dataset."""
    references = [part["dataset"] for part in stored.definition["parts"]]
    there = [datasets.find(db, reference) for reference in references]
    return any(one is not None and one.name == dataset.name for one in there)


def chosen(db: Connection, part: BoardPartIn) -> Chosen:
    """The newest evaluation of each system in a part. Raises NothingHere, and 404 without such a
    dataset."""
    dataset = datasets.require(db, part.dataset)
    score = named(db, dataset.id, part.score)
    standing = stand(db, dataset, BoardKey(dataset.id, score, part.slice or ""))
    scores: dict[str, BoardScore] = {}
    several: dict[str, str] = {}
    for entry in standing.entries:  # newest first
        system = entry.score.system
        if system in scores:
            several[system] = (
                f"{dataset.name}: made in several ways, of which the newest counts "
                f"({scores[system].evaluation_id})"
            )
        else:
            scores[system] = entry.score
    others = {row.system for row in standing.scores} - set(scores)
    return Chosen(part, dataset, score, standing.chosen, scores, several, others)


def compute(db: Connection, settings: Settings, asked: DefinedBoardIn) -> DefinedBoard:
    """The whole board. Raises 409 where it has more systems than can be tested."""
    warnings: list[str] = []
    parts = []
    for one in asked.parts:
        try:
            parts.append(chosen(db, one))
        except NothingHere:
            dataset = datasets.require(db, one.dataset)
            empty = Chosen(one, dataset, one.score, "", {}, {}, set())
            warnings.append(f"no system has {empty.label}")
            parts.append(empty)
    systems = sorted(set.intersection(*(set(one.scores) for one in parts)))
    if len(systems) > MOST_TESTED:
        message = f"{len(systems)} systems stand in every part, and {MOST_TESTED} are the most"
        raise ApiError(409, "too_many_systems", message)
    results = [_results(db, settings, one, systems) for one in parts]
    gone = {
        system
        for read in results
        for system, one in zip(systems, read.paired, strict=True)
        if one is None or one.value is None
    }
    kept = np.array([system not in gone for system in systems], np.bool_)
    left_out = [*_absent(parts), *(WithoutPart(system=one, reason=GONE) for one in sorted(gone))]
    made = [read.part(one, systems, kept) for one, read in zip(parts, results, strict=True)]
    systems = [system for system in systems if system not in gone]
    found = aggregate(asked, made, [one.label for one in parts], warnings) if systems else None
    pairs = len(made) * len(systems) * (len(systems) - 1) // 2
    told = BY_SUM if asked.aggregate in {"mean", "z"} else BY_RANK
    counted = pairs // len(made) if told is BY_SUM else pairs
    return DefinedBoard(
        name=asked.name,
        aggregate=asked.aggregate,
        higher_is_better=upwards(asked, [one.higher_is_better for one in made]),
        parts=[
            _shown(one, read, weight)
            for one, read, weight in zip(parts, results, shares(made).tolist(), strict=True)
        ],
        tests=told.format(f"{counted} pair{'s' if counted > 1 else ''}") if pairs else None,
        warnings=[*warnings, *(said for read in results for said in read.warnings)],
        computed_at=datetime.now(UTC),
        size=len(systems),
        rows=_rows(systems, parts, made, found) if found is not None else [],
        left_out=left_out,
    )


GONE = "its rows are not stored any more, or its metric is not there"


@dataclass(slots=True)
class Read:
    """The results of a part, and what its samples belong together by."""

    paired: list[PairedResult | None]
    field: str | None
    names: list[str] | None
    warnings: list[str]

    def part(self, one: Chosen, systems: Sequence[str], kept: NDArray[np.bool_]) -> Part:
        """What is put together, of the systems that are kept."""
        paired = [result for result, there in zip(self.paired, kept, strict=True) if there]
        rows = [one.scores[name] for name, there in zip(systems, kept, strict=True) if there]
        tests = pairs_between(paired, self.field, self.names)
        return Part(
            values=np.array([row.value for row in rows], np.float64),
            pairs=tests.pairs,
            replicates=tests.replicates,
            incomplete=lacking(paired, [row.missing for row in rows]) > 0,
            group=one.dataset.name,
            weight=one.asked.weight,
            higher_is_better=rows[0].higher_is_better if rows else True,
        )


def _results(db: Connection, settings: Settings, one: Chosen, systems: Sequence[str]) -> Read:
    rows = [one.scores[system] for system in systems]
    paired = paired_results(db, settings, rows)
    field, told = commonest_field(paired)
    names = datasets.read_clusters(db, one.dataset.id, field) if field is not None else None
    if one.asked.slice:
        over = slices.Slice.read(db, one.dataset.id, one.asked.slice)
        paired, names = over.restricted(rows, paired, names)
        told = [*told, *over.warnings(rows)]
    return Read(paired, field, names, [f"{one.label}: {said}" for said in told])


def upwards(asked: DefinedBoardIn, directions: Sequence[bool]) -> bool:
    """Whether higher is better on the board: of a mean as of its scores, where these agree."""
    if asked.aggregate == "mean":
        return any(directions) or not directions
    return asked.aggregate != "mean_rank"


def aggregate(
    asked: DefinedBoardIn, parts: Sequence[Part], labels: Sequence[str], warnings: list[str]
) -> Aggregate:
    """The parts put together as the board asks; what is to be said of it joins `warnings`."""
    if asked.aggregate in {"mean_rank", "win_rate"}:
        return by_ranks(parts, wins=asked.aggregate == "win_rate", level=LEVEL)
    higher = upwards(asked, [part.higher_is_better for part in parts])
    signs = [1.0 if part.higher_is_better == higher else -1.0 for part in parts]
    weights = [sign * share for sign, share in zip(signs, shares(parts).tolist(), strict=True)]
    centres = [0.0] * len(parts)
    if asked.aggregate == "z":
        scaled = [z_scores(part) for part in parts]
        centres = [centre for centre, _ in scaled]
        weights = [
            weight / scale if scale > 0 else 0.0
            for weight, (_, scale) in zip(weights, scaled, strict=True)
        ]
        warnings += [
            f"{label}: all systems have one value, so it counts for nothing"
            for label, (_, scale) in zip(labels, scaled, strict=True)
            if scale == 0
        ]
    return linear(parts, weights, centres, higher_is_better=higher, level=LEVEL)


def _absent(parts: Sequence[Chosen]) -> list[WithoutPart]:
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


def _shown(one: Chosen, read: Read, weight: float) -> BoardPart:
    directions = [row.higher_is_better for row in one.scores.values()]
    return BoardPart(
        dataset=one.dataset.name,
        version=one.dataset.version,
        dataset_id=one.dataset.id,
        score=one.score,
        slice=one.asked.slice,
        weight=weight,
        higher_is_better=directions[0] if directions else True,
        signature=one.signature,
        cluster=read.field,
        systems=len(one.scores),
    )


def _rows(
    systems: Sequence[str], parts: Sequence[Chosen], made: Sequence[Part], found: Aggregate
) -> list[DefinedRow]:
    ranks = found.ranks
    order = sorted(range(len(systems)), key=lambda at: (int(ranks.rank[at]), systems[at]))
    places = [1 + (part.worth[None, :] > part.worth[:, None]).sum(1) for part in made]
    rows = []
    for at, below in zip(order, [*order[1:], None], strict=True):
        values = [
            _part_value(one, systems[at], int(place[at]), bool(part.incomplete[at]))
            for one, place, part in zip(parts, places, made, strict=True)
        ]
        ends = float(found.low[at]), float(found.high[at])
        rows.append(
            DefinedRow(
                rank=int(ranks.rank[at]),
                rank_interval=(int(ranks.best[at]), int(ranks.worst[at])),
                system=systems[at],
                value=float(found.values[at]),
                interval=ends if np.isfinite(ends).all() else None,
                p_vs_next=_known(ranks.p_values[at, below]) if below is not None else None,
                tie_band=int(ranks.band[at]),
                p_first=_known(found.p_first[at]),
                incomplete=sum(one.incomplete for one in values),
                parts=values,
                notes=[one.several[systems[at]] for one in parts if systems[at] in one.several],
            )
        )
    return rows


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


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def ranges(
    settings: Settings, db: Connection, parts: Sequence[Chosen]
) -> Mapping[str, tuple[str, float, float, bool]]:
    """Of each part's label the scale of its score: unbounded ones are on a scale of their own."""
    found = {}
    for one in parts:
        row = next(iter(one.scores.values()))
        (paired,) = paired_results(db, settings, [row])
        if paired is None:
            continue
        score = paired.metric.scores[paired.index]
        bounded = bool(np.isfinite([score.low, score.high]).all())
        own = "" if bounded else score.name
        found[one.label] = (own, score.low, score.high, score.higher_is_better)
    return found
