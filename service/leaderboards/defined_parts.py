"""Parts of a defined board: who stands in them, with what results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from metrics.statistics.aggregates import Part
from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.leaderboards import board_results, slices
from service.leaderboards.board_results import BoardResults
from service.leaderboards.boards import stand
from service.leaderboards.boards_store import BoardKey
from service.leaderboards.defined_schemas import BoardPartIn
from service.leaderboards.pair_tests import gaps, pairs_between
from service.leaderboards.paired import paired_results
from service.leaderboards.store import BoardScore, named
from service.settings import Settings


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


def chosen(db: Connection, part: BoardPartIn, at: datetime | None = None) -> Chosen:
    """The newest evaluation of each system in a part, now or `at` a time. Raises NothingHere, and
    404 without such a dataset."""
    dataset = datasets.require(db, part.dataset, at=at)
    score = named(db, dataset.id, part.score)
    standing = stand(db, dataset, BoardKey(dataset.id, score, part.slice or ""), at)
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


def part(
    one: Chosen,
    own: BoardResults,
    systems: Sequence[str],
    kept: NDArray[np.bool_],
    warnings: list[str],
) -> Part:
    """What is put together, of the systems that are kept; adds to the warnings."""
    paired = [result for result, there in zip(own.paired, kept, strict=True) if there]
    rows = [one.scores[name] for name, there in zip(systems, kept, strict=True) if there]
    tests = pairs_between(paired, own.field, own.names)
    lacking = gaps(paired, [row.missing for row in rows])
    if tests.refused is not None:
        warnings.append(f"{one.label}: no pair is tested: {tests.refused}")
    return Part(
        values=np.array([row.value for row in rows], np.float64),
        pairs=tests.pairs,
        replicates=tests.replicates,
        incomplete=lacking.unanswered > 0,
        uneven=lacking.uneven,
        group=one.dataset.name,
        weight=one.asked.weight,
        higher_is_better=rows[0].higher_is_better if rows else True,
    )


def results(
    db: Connection, settings: Settings, one: Chosen, systems: Sequence[str]
) -> BoardResults:
    """What is stored of these systems in a part, of its slice alone where it is on one."""
    rows = [one.scores[system] for system in systems]
    over = None
    if one.asked.slice and rows:  # a new version of the dataset may lack the field
        over = slices.Slice.read(db, one.dataset.id, one.asked.slice)
    return board_results.read(db, settings, one.dataset.id, rows, over)


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
