"""A defined board computed: the systems that stand in every part, and their values put together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection

from metrics.statistics.aggregates import Aggregate, Part, by_ranks, linear, shares, z_scores
from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.errors import ApiError
from service.leaderboards import defined_store
from service.leaderboards.boards import NothingHere
from service.leaderboards.defined_parts import Chosen, chosen, part, results
from service.leaderboards.defined_rows import absent, rows, shown
from service.leaderboards.defined_schemas import (
    BoardPartIn,
    DefinedBoard,
    DefinedBoardIn,
    WithoutPart,
)
from service.leaderboards.defined_store import Defined
from service.leaderboards.moments import too_early
from service.leaderboards.standings import MOST_TESTED
from service.settings import Settings

LEVEL = 0.95
GONE = "its rows are not stored any more, or its metric is not there or of a later version"
BY_RANK = "ranks of all pairs of all parts, Holm over {}; apart where the mean ranks must differ"
BY_SUM = (
    "Student's t with the errors of the parts' replicates, independent between datasets; "
    "Holm over {}"
)


def refresh(db: Connection, settings: Settings, stored: Defined) -> DefinedBoard:
    """The board with all that has landed; what is computed is kept."""
    asked = _asked(stored)
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


def past(db: Connection, settings: Settings, stored: Defined, at: datetime) -> DefinedBoard:
    """The board as it stood, computed now. Raises 404 where nothing had landed."""
    board = compute(db, settings, _asked(stored), at)
    if not any(part.systems for part in board.parts):
        raise too_early("board", stored.name, at)
    return board


def is_over(db: Connection, stored: Defined, dataset: Dataset) -> bool:
    """Whether a part of the board is on some version of the dataset."""
    references = [part["dataset"] for part in stored.definition["parts"]]
    there = [datasets.find(db, reference) for reference in references]
    return any(one is not None and one.name == dataset.name for one in there)


def compute(
    db: Connection, settings: Settings, asked: DefinedBoardIn, at: datetime | None = None
) -> DefinedBoard:
    """The whole board, as it stood `at` a time or now. Raises 409 where it has more systems than
    can be tested."""
    parts = [_part(db, one, at) for one in asked.parts]
    warnings = [f"no system has {one.label}" for one in parts if not one.scores]
    systems = sorted(set.intersection(*(set(one.scores) for one in parts)))
    if len(systems) > MOST_TESTED:
        message = f"{len(systems)} systems stand in every part, and {MOST_TESTED} are the most"
        raise ApiError(409, "too_many_systems", message)
    read = [results(db, settings, one, systems) for one in parts]
    for one, own in zip(parts, read, strict=True):
        rows_of = [one.scores[system] for system in systems]
        warnings += [f"{one.label}: {said}" for said in own.warnings(rows_of)]
    gone = {
        system
        for own in read
        for system, one in zip(systems, own.paired, strict=True)
        if one is None or one.value is None
    }
    kept = np.array([system not in gone for system in systems], np.bool_)
    left_out = [*absent(parts), *(WithoutPart(system=one, reason=GONE) for one in sorted(gone))]
    made = [part(one, own, systems, kept, warnings) for one, own in zip(parts, read, strict=True)]
    systems = [system for system in systems if system not in gone]
    found = aggregate(asked, made, [one.label for one in parts], warnings) if systems else None
    told = [
        shown(one, own.field, weight)
        for one, own, weight in zip(parts, read, shares(made).tolist(), strict=True)
    ]
    return DefinedBoard(
        name=asked.name,
        aggregate=asked.aggregate,
        higher_is_better=upwards(asked, [one.higher_is_better for one in made]),
        judged=asked.aggregate != "mean" or any(one.judged for one in told),
        parts=told,
        tests=_tests(asked, len(systems)),
        warnings=warnings,
        at=at,
        computed_at=datetime.now(UTC),
        size=len(systems),
        rows=rows(systems, parts, made, found) if found is not None else [],
        left_out=left_out,
    )


def _asked(stored: Defined) -> DefinedBoardIn:
    return DefinedBoardIn.model_validate({"name": stored.name, **stored.definition})


def _part(db: Connection, asked: BoardPartIn, at: datetime | None) -> Chosen:
    """The part, without a system where nobody has a value."""
    try:
        return chosen(db, asked, at)
    except NothingHere:
        dataset = datasets.require(db, asked.dataset, at=at)
        return Chosen(asked, dataset, asked.score, "", {}, {}, set())


def _tests(asked: DefinedBoardIn, systems: int) -> str | None:
    """How the pairs were tested, in words."""
    by_sum = asked.aggregate in {"mean", "z"}
    pairs = systems * (systems - 1) // 2 * (1 if by_sum else len(asked.parts))
    told = BY_SUM if by_sum else BY_RANK
    return told.format(f"{pairs} pair{'s' if pairs > 1 else ''}") if pairs else None


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
