"""/v1/leaderboards: systems on one dataset version by one score, and which differences are real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import orjson
from fastapi import Query
from sqlalchemy import Connection

from metrics.core.names import hint
from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.errors import ApiError, not_found
from service.http.dependencies import CurrentSettings, Transaction
from service.http.fields import Limit
from service.http.formats import TABLES, Written, in_forms
from service.http.router import Router
from service.jobs import queue
from service.leaderboards import boards_store
from service.leaderboards import store as leaderboards
from service.leaderboards.boards import NothingHere, compute, refresh
from service.leaderboards.boards_store import BoardKey, StoredBoard
from service.leaderboards.controls import rows as control_rows
from service.leaderboards.moments import At, moment, too_early
from service.leaderboards.schemas import BoardEntry, BoardRow, Boards, Leaderboard
from service.leaderboards.standings import MOST_TESTED
from service.leaderboards.tables import board_table
from service.settings import Settings

MOST_AT_ONCE = 100  # systems up to which a reader waits for a board to be computed anew

router = Router(prefix="/v1/leaderboards", tags=["leaderboards"])


@router.get("", summary="Which boards there are")
def list_leaderboards(db: Transaction) -> Boards:
    """Every dataset version with values, and the scores it has."""
    entries: dict[str, BoardEntry] = {}
    for row in leaderboards.boards(db):
        entry = BoardEntry(dataset=row.name, version=row.version, dataset_id=row.id, metrics=[])
        entries.setdefault(row.id, entry).metrics.append(row.score)
    return Boards(data=list(entries.values()))


@router.get(
    "/{dataset:path}",  # names may hold slashes
    summary="One board",
    response_model=Leaderboard,
    responses=TABLES,
)
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
    cluster: Annotated[
        str | None,
        Query(
            description="a field of the metadata, or `prompt`: samples with one value are "
            "resampled together; default: as most of the evaluations have it"
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        Query(
            description="how records were asked: a protocol's digest, `none` (as they are, or "
            "outputs were given), or `any`; default: the one most systems have"
        ),
    ] = None,
    at: At = None,
    after: Annotated[str | None, Query(description="the evaluation of the row before")] = None,
    limit: Annotated[Limit, Query(description="rows of a page")] = MOST_TESTED,
    controls: Annotated[
        bool, Query(description="show what the score gives to nonsense and to a reference, too")
    ] = False,
) -> Leaderboard | Written[Leaderboard]:
    """Each system's newest evaluation that has a value, a row for each way in which its outputs
    were made. Values of different signatures are never ranked together, and those of different
    protocols only with `protocol=any`: those left out are listed with the parts in which they
    differ, and so are systems without a value here. `notes` of a row tell of the system's other
    evaluations.

    What has landed is in it, but for boards of more than 100 systems, which are computed by a
    worker: `pending` evaluations are not in it yet."""
    then = moment(at) if at is not None else None
    version = datasets.require(db, dataset, at=then)
    key = BoardKey(version.id, metric, slice or "", signature or "", cluster or "", protocol or "")
    board: Leaderboard | Written[Leaderboard]
    try:
        if then is not None:
            board = _past(db, settings, version, _named(db, key), then, after, limit)
        else:
            board = _shown(db, *_current(db, settings, version, key), after, limit)
    except NothingHere as nothing:
        raise _no_board(db, version, _named(db, key), nothing) from None
    if controls:
        board = board.read() if isinstance(board, Written) else board
        board.controls, told = control_rows(db, _named(db, key), board.signature)
        board.warnings += told
    return board


def _current(
    db: Connection, settings: Settings, version: Dataset, key: BoardKey
) -> tuple[StoredBoard, int]:
    """The stored board, and how many evaluations have landed since it was computed. Small ones are
    brought up to date; of a large one, the update is on its way."""
    stored = boards_store.find(db, key)
    if stored is None:
        key = _named(db, key)
        stored = boards_store.find(db, key)
    if stored is None:
        return refresh(db, settings, version, key), 0
    if stored.knows(boards_store.landed(db, version.name)):
        return stored, 0
    if stored.size <= MOST_AT_ONCE:
        return refresh(db, settings, version, key), 0
    queue.defer(db, "board.update", queueing_lock=f"boards {version.id}", dataset=version.id)
    since = boards_store.landed(db, version.name, stored.landed_at).landed
    return stored, max(1, since)  # one that is measured again is not later than the last


def _shown(
    db: Connection, stored: StoredBoard, pending: int, after: str | None, limit: int
) -> Written[Leaderboard]:
    """A page of a stored board. Its rows are sent as they are stored, and read for tables alone."""
    rows = boards_store.page(db, stored.id, after=after, limit=limit + 1)
    shown, more = rows[:limit], len(rows) > limit
    head = orjson.loads(stored.head) | {"rows": [], "left_out": []}
    board = Leaderboard.model_validate(
        head | {"computed_at": stored.computed_at, "pending": pending, "has_more": more}
    )
    board.last_id = shown[-1][0] if shown else None
    if pending:
        board.warnings.append(
            f"{pending} evaluations have landed since it was computed: they are not in it yet"
        )
    left_out = stored.left_out if after is None else "[]"
    body = orjson.dumps(
        orjson.loads(board.model_dump_json())
        | {
            "rows": [orjson.Fragment(content) for _, content in shown],
            "left_out": orjson.Fragment(left_out),
        }
    )
    return Written(body, lambda: Leaderboard.model_validate_json(body))


def _past(
    db: Connection,
    settings: Settings,
    version: Dataset,
    key: BoardKey,
    at: datetime,
    after: str | None,
    limit: int,
) -> Leaderboard:
    """A page of the board as it stood, computed now."""
    board = compute(db, settings, version, key, at)
    rows: Sequence[BoardRow] = board.rows
    if after is not None:
        places = {row.evaluation: place for place, row in enumerate(rows)}
        if after not in places:
            raise boards_store.unknown_cursor(after)
        rows, board.left_out = rows[places[after] + 1 :], []
    board.rows, board.has_more = list(rows[:limit]), len(rows) > limit
    board.last_id = board.rows[-1].evaluation if board.rows else None
    return board


def _named(db: Connection, key: BoardKey) -> BoardKey:
    return replace(key, score=leaderboards.named(db, key.dataset_id, key.score))


def _none_such(dataset: Dataset, key: BoardKey, nothing: NothingHere) -> ApiError:
    """404 for values that are there, and none of the signature or protocol that was asked for."""
    if nothing.signature:
        message = f"no evaluation on {dataset.name!r} has this signature of {key.score}"
        return ApiError(404, "signature_not_found", message, "signature")
    message = f"no evaluation on {dataset.name!r} has the protocol {key.protocol!r}: there "
    message += f"are {', '.join(nothing.protocols)}; `any` shows all"
    return ApiError(404, "protocol_not_found", message, "protocol")


def _no_board(db: Connection, dataset: Dataset, key: BoardKey, nothing: NothingHere) -> ApiError:
    """404 that names what is wrong: the signature, the protocol, the dataset without any score, the
    metric, or the slice."""
    if nothing.signature or nothing.protocols:
        return _none_such(dataset, key, nothing)
    names = leaderboards.names(db, dataset.id)
    board = f"{dataset.name} by {key.score}"
    if not names:
        return not_found("leaderboard", board, "nothing has been evaluated on it yet", "dataset")
    if key.score not in names:
        return not_found("leaderboard", board, f"there are {', '.join(names)}", "metric")
    if nothing.at is not None:
        return too_early("leaderboard", board, nothing.at)
    if not key.slice:
        return not_found("leaderboard", board, "no system has a value over the whole set", "metric")
    slices = leaderboards.slices(db, dataset.id, key.score)
    none = "no evaluation on it was asked for any: POST /v1/evaluations takes them as `slices`"
    nearest = hint(key.slice, slices) if slices else none
    return not_found("leaderboard", f"{board} on the slice {key.slice}", nearest, "slice")
