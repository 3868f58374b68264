"""/v1/leaderboards: systems on one dataset version by one score, and which differences are real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from sqlalchemy import Connection

from metrics.core.names import hint, plain
from metrics.core.signature import difference
from metrics.statistics.ranking import ranks
from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.errors import ApiError, not_found
from service.http.dependencies import CurrentSettings, Transaction
from service.http.formats import TABLES, in_forms
from service.leaderboards import history
from service.leaderboards import store as leaderboards
from service.leaderboards.history import Run
from service.leaderboards.paired import ALPHA, lacking, paired_results, pairwise
from service.leaderboards.schemas import BoardEntry, BoardRow, Boards, Leaderboard, LeftOut
from service.leaderboards.store import BoardScore
from service.leaderboards.tables import board_table
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Told:
    """The evaluation that a board shows of a system, and notes on the system's others."""

    run: Run
    notes: list[str]


router = APIRouter(prefix="/v1/leaderboards", tags=["leaderboards"])


@router.get("", summary="Which boards there are")
def list_leaderboards(db: Transaction) -> Boards:
    """Every dataset version with values, and the scores it has."""
    entries: dict[str, BoardEntry] = {}
    for row in leaderboards.boards(db):
        entry = BoardEntry(dataset=row.name, version=row.version, dataset_id=row.id, metrics=[])
        entries.setdefault(row.id, entry).metrics.append(row.score)
    return Boards(data=list(entries.values()))


@router.get("/{dataset:path}", summary="One board", responses=TABLES)  # names may hold slashes
@in_forms(board_table)
def get_leaderboard(
    dataset: str,
    db: Transaction,
    settings: CurrentSettings,
    metric: Annotated[str, Query(description="a score's name, as rougeL")],
    slice: Annotated[str | None, Query(description="as lang=ru")] = None,
    signature: Annotated[
        str | None, Query(description="default: the one most systems have")
    ] = None,
) -> Leaderboard:
    """Each system's newest evaluation that has a value. Values of different signatures are never
    ranked together: those left out are listed with the parts in which they differ, and so are
    systems without a value here. `notes` of a row tell of the system's other evaluations."""
    version = datasets.require(db, dataset)
    metric = _score_name(leaderboards.names(db, version.id), metric)
    rows = leaderboards.board(db, version.id, metric, slice or "")
    if not rows:
        raise _no_board(db, version, metric, slice)
    chosen = signature or _commonest(rows)
    newest: dict[str, BoardScore] = {}
    for row in rows:
        if row.signature == chosen:
            newest.setdefault(row.system, row)
    if not newest:
        message = f"no evaluation on {dataset!r} has this signature of {metric}"
        raise ApiError(404, "signature_not_found", message, "signature")
    made = history.runs(db, version.name)
    return Leaderboard(
        dataset=version.name,
        version=version.version,
        dataset_id=version.id,
        metric=metric,
        slice=slice,
        higher_is_better=rows[0].higher_is_better,
        signature=chosen,
        signatures=sorted({row.signature for row in rows}),
        rows=_ranked(db, settings, list(newest.values()), _told(rows, newest, made)),
        left_out=[*_left_out(rows, newest, chosen), *_unvalued(rows, made, version.version)],
    )


def _score_name(known: Sequence[str], typed: str) -> str:
    """The one of the `known` names that differs from it in case, `-` and `_` alone, else itself."""
    same = [name for name in known if plain(name) == plain(typed)]
    return same[0] if len(same) == 1 else typed


def _no_board(db: Connection, dataset: Dataset, metric: str, slice_: str | None) -> ApiError:
    """404 that names what is wrong: the dataset without any score, the metric, or the slice."""
    names = leaderboards.names(db, dataset.id)
    board = f"{dataset.name} by {metric}"
    if not names:
        return not_found("leaderboard", board, "nothing has been evaluated on it yet", "dataset")
    if metric not in names:
        return not_found("leaderboard", board, f"there are {', '.join(names)}", "metric")
    if slice_ is None:
        return not_found("leaderboard", board, "no system has a value over the whole set", "metric")
    slices = leaderboards.slices(db, dataset.id, metric)
    none = "no evaluation on it was asked for any: POST /v1/evaluations takes them as `slices`"
    nearest = hint(slice_, slices) if slices else none
    return not_found("leaderboard", f"{board} on the slice {slice_}", nearest, "slice")


def _commonest(rows: Sequence[BoardScore]) -> str:
    """The signature of most systems; of equally common ones, the newest evaluation's."""
    systems = Counter(signature for signature, _ in {(row.signature, row.system) for row in rows})
    most = max(systems.values())
    return next(row.signature for row in rows if systems[row.signature] == most)


def _told(
    rows: Sequence[BoardScore], newest: Mapping[str, BoardScore], made: Sequence[Run]
) -> dict[str, Told]:
    """By system, the evaluation that is shown and what the others have otherwise."""
    by_id = {one.id: one for one in made}
    scores = {row.evaluation_id: row for row in [*rows, *newest.values()]}
    others: dict[str, list[Run]] = {}
    for one in made:
        others.setdefault(one.system, []).append(one)
    found = {}
    for system, row in newest.items():
        shown = by_id[row.evaluation_id]
        found[system] = Told(shown, history.notes(shown, others[system], scores))
    return found


def _ranked(
    db: Connection, settings: Settings, rows: list[BoardScore], told: Mapping[str, Told]
) -> list[BoardRow]:
    # paired tests are over the whole set: replicates of slices are not kept
    whole = rows[0].slice == ""
    paired = paired_results(db, settings, rows) if whole else [None] * len(rows)
    incomplete = lacking(paired, [row.missing for row in rows])
    pairs = pairwise(paired)
    found = ranks(
        np.array([row.value for row in rows]),
        pairs.p_values,
        differences=pairs.differences,
        incomplete=np.array(incomplete) > 0,
        higher_is_better=rows[0].higher_is_better,
        alpha=ALPHA,
    )
    order = sorted(range(len(rows)), key=lambda at: (int(found.rank[at]), rows[at].system))
    shown = []
    for place, at in enumerate(order):
        row, run = rows[at], told[rows[at].system].run
        below = order[place + 1] if place + 1 < len(order) else None
        p_value = float(found.p_values[at, below]) if below is not None else float("nan")
        shown.append(
            BoardRow(
                rank=int(found.rank[at]),
                rank_interval=(int(found.best[at]), int(found.worst[at])),
                system=row.system,
                evaluation=row.evaluation_id,
                value=row.value,
                interval=row.interval,
                n=row.n,
                missing=row.missing,
                incomplete=incomplete[at],
                p_vs_next=p_value if np.isfinite(p_value) else None,
                model=run.model,
                generation=dict(run.generation) if run.generation is not None else None,
                notes=told[row.system].notes,
                finished_at=row.finished_at,
            )
        )
    return shown


def _left_out(
    rows: Sequence[BoardScore], newest: dict[str, BoardScore], chosen: str
) -> list[LeftOut]:
    absent: dict[str, BoardScore] = {}
    for row in rows:
        if row.system not in newest:
            absent.setdefault(row.system, row)
    return [
        LeftOut(
            system=row.system,
            evaluation=row.evaluation_id,
            signature=row.signature,
            reason="another signature: " + "; ".join(difference(chosen, row.signature)),
        )
        for row in absent.values()
    ]


def _unvalued(rows: Sequence[BoardScore], made: Sequence[Run], version: int) -> list[LeftOut]:
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
