"""GET /v1/pareto/{dataset}: systems that nobody beats in everything, by two or more scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from fastapi import Query
from sqlalchemy import Connection

from metrics.core.names import hint, plain
from metrics.core.rows import Floats, Ints
from metrics.statistics.fronts import dominates, shares_on_front
from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.errors import ApiError, invalid
from service.figures.numbers import finite
from service.http.dependencies import CurrentSettings, Transaction
from service.http.formats import TABLES, in_forms
from service.http.router import Router
from service.leaderboards import board_results, slices
from service.leaderboards import store as leaderboards
from service.leaderboards.boards import Entry, NothingHere, Standing, stand
from service.leaderboards.boards_store import BoardKey
from service.leaderboards.defined_schemas import Front, FrontRow, FrontScore, WithoutPart
from service.leaderboards.defined_tables import front_table
from service.leaderboards.pair_tests import pairs_between
from service.settings import Settings

MOST_SYSTEMS = 300  # whose pairs are looked at in every replicate
MOST_SCORES = 6
MOST_NAMED = 10  # systems that beat one

router = Router(prefix="/v1/pareto", tags=["leaderboards"])

Way = tuple[str, str]  # a system, and the digest of how its outputs were made


@dataclass(frozen=True, slots=True)
class Axis:
    """A score, and the newest evaluation of each system and way of making its outputs."""

    score: str
    higher_is_better: bool
    standing: Standing
    entries: dict[Way, Entry]


@router.get("/{dataset:path}", summary="Pareto's front of two or more scores", responses=TABLES)
@in_forms(front_table)
def get_pareto(
    dataset: str,
    db: Transaction,
    settings: CurrentSettings,
    metric: Annotated[
        list[str],
        Query(
            min_length=2, max_length=MOST_SCORES, description="scores' names, as chrf and length"
        ),
    ],
    lower: Annotated[
        list[str],
        Query(max_length=MOST_SCORES, description="of these lower is better here, as of length"),
    ] = [],  # noqa: B006 (FastAPI copies it)
    slice: Annotated[str | None, Query(description="as lang=ru")] = None,
) -> Front:
    """On the front is who is beaten by nobody: no other system is at least as good by every score
    and better by one. `share` is in how many of the replicates, drawn alike for all systems and
    scores, a system is on the front."""
    version = datasets.require(db, dataset)
    axes = [_axis(db, version, name, slice) for name in metric]
    if len({axis.score for axis in axes}) < len(axes):
        raise invalid("duplicate_score", "name scores that differ", "metric")
    wanted = {plain(name) for name in lower}
    names = [plain(axis.score) for axis in axes]
    for name in lower:
        if plain(name) not in names:
            message = f"{name!r} is none of the scores: {hint(name, [one.score for one in axes])}"
            raise invalid("unknown_score", message, "lower")
    ways = [way for way in axes[0].entries if all(way in axis.entries for axis in axes)]
    if len(ways) > MOST_SYSTEMS:
        message = f"{len(ways)} systems have all scores, and {MOST_SYSTEMS} are the most"
        raise ApiError(409, "too_many_systems", message, "metric")
    signs = [
        -1.0 if plain(axis.score) in wanted or not axis.higher_is_better else 1.0 for axis in axes
    ]
    return _front(db, settings, version, slice, axes, ways, signs)


def _axis(db: Connection, dataset: Dataset, name: str, slice_: str | None) -> Axis:
    score = leaderboards.named(db, dataset.id, name)
    try:
        standing = stand(db, dataset, BoardKey(dataset.id, score, slice_ or ""))
    except NothingHere:
        names = leaderboards.names(db, dataset.id)
        if score in names:
            there = leaderboards.slices(db, dataset.id, score)
            what = hint(slice_ or "", there) if there else "no evaluation was asked for `slices`"
            message = f"no system has {score} for {slice_!r} on {dataset.name!r}: {what}"
            raise invalid("unknown_slice", message, "slice") from None
        what = hint(score, names) if names else "nothing has been evaluated on it yet"
        message = f"no system has {name!r} on {dataset.name!r}: {what}"
        raise invalid("unknown_score", message, "metric") from None
    entries = {(one.score.system, one.protocol.digest): one for one in standing.entries}
    return Axis(score, standing.shown[0].higher_is_better, standing, entries)


def _front(
    db: Connection,
    settings: Settings,
    dataset: Dataset,
    slice_: str | None,
    axes: Sequence[Axis],
    ways: Sequence[Way],
    signs: Sequence[float],
) -> Front:
    values = np.array(
        [[axis.entries[way].score.value for way in ways] for axis in axes], np.float64
    )
    worth = values * np.array(signs)[:, None]
    beaten = dominates(worth) if ways else np.zeros((0, 0), np.bool_)
    shares, warnings = _shares(db, settings, dataset, slice_, axes, ways, signs)
    order = sorted(
        range(len(ways)), key=lambda at: (bool(beaten[:, at].any()), -worth[0, at], ways[at])
    )
    rows = [_row(axes, ways, at, np.flatnonzero(beaten[:, at]), float(shares[at])) for at in order]
    return Front(
        dataset=dataset.name,
        version=dataset.version,
        dataset_id=dataset.id,
        slice=slice_,
        scores=[
            FrontScore(
                score=axis.score,
                higher_is_better=sign > 0,
                signature=axis.standing.chosen,
            )
            for axis, sign in zip(axes, signs, strict=True)
        ],
        warnings=warnings,
        rows=rows,
        left_out=_left_out(axes, ways),
    )


def _row(
    axes: Sequence[Axis], ways: Sequence[Way], at: int, beaten_by: Ints, share: float
) -> FrontRow:
    own = {axis.score: axis.entries[ways[at]] for axis in axes}
    return FrontRow(
        system=ways[at][0],
        protocol=own[axes[0].score].protocol.text,
        on_front=not len(beaten_by),
        share=finite(share),
        beaten_by=[ways[other][0] for other in beaten_by.tolist()][:MOST_NAMED],
        values={name: one.score.value for name, one in own.items()},
        intervals={name: one.score.interval for name, one in own.items()},
        evaluations={name: one.score.evaluation_id for name, one in own.items()},
    )


def _shares(
    db: Connection,
    settings: Settings,
    dataset: Dataset,
    slice_: str | None,
    axes: Sequence[Axis],
    ways: Sequence[Way],
    signs: Sequence[float],
) -> tuple[Floats, list[str]]:
    """(N,) the shares of replicates; NaN with a warning where rows are gone or of the whole set."""
    drawn, warnings = [], list[str]()
    over = slices.Slice.read(db, dataset.id, slice_) if slice_ else None
    for axis, sign in zip(axes, signs, strict=True):
        rows = [axis.entries[way].score for way in ways]
        own = board_results.read(db, settings, dataset.id, rows, over)
        warnings += own.warnings(rows)
        if any(one is not None and one.result.missing.any() for one in own.paired):
            warnings.append(
                f"some systems have no {axis.score} on some samples: values are over what each has"
            )
        tests = pairs_between(own.paired, own.field, own.names)
        if tests.refused is not None:
            warnings.append(f"no shares: {tests.refused}")
        drawn.append(sign * tests.replicates)
    count = min(len(one) for one in drawn)
    return shares_on_front(np.stack([one[:count] for one in drawn])), list(dict.fromkeys(warnings))


def _left_out(axes: Sequence[Axis], ways: Sequence[Way]) -> list[WithoutPart]:
    """Systems that lack a score, or have it made in other ways than the others."""
    there = {system for system, _ in ways}
    every = {row.system for axis in axes for row in axis.standing.scores}
    found = []
    for system in sorted(every - there):
        lacking = [
            f"no {axis.score}"
            if system not in {row.system for row in axis.standing.scores}
            else f"another signature of {axis.score}"
            for axis in axes
            if system not in {name for name, _ in axis.entries}
        ]
        reason = "; ".join(lacking) or "its scores are of outputs that were made in unlike ways"
        found.append(WithoutPart(system=system, reason=reason))
    return found
