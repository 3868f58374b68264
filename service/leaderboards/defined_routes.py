"""/v1/boards: boards over several datasets and scores, as users define them."""

from __future__ import annotations

from fastapi import Response
from sqlalchemy import Connection

from metrics import find as find_metric
from metrics.core.names import hint
from service.datasets import store as datasets
from service.errors import ApiError, invalid, not_found
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Idempotent, Transaction
from service.http.formats import TABLES, in_forms
from service.http.idempotency import Created
from service.http.router import Router
from service.leaderboards import defined, defined_parts, defined_store
from service.leaderboards import store as leaderboards
from service.leaderboards.boards import NothingHere
from service.leaderboards.defined_parts import Chosen
from service.leaderboards.defined_schemas import (
    BoardDefinition,
    BoardDefinitions,
    BoardPartIn,
    DefinedBoard,
    DefinedBoardIn,
    DeletedBoard,
)
from service.leaderboards.defined_store import Defined
from service.leaderboards.defined_tables import defined_board_table
from service.leaderboards.moments import At, moment
from service.settings import Settings

router = Router(prefix="/v1/boards", tags=["boards"], route_class=BodyRoute)


@router.post(
    "",
    status_code=201,
    responses={200: {"model": BoardDefinition, "description": "It is defined so already"}},
    summary="Define a board over several datasets and scores",
)
def create_board(
    body: DefinedBoardIn,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> BoardDefinition:
    """`GET /v1/boards/{name}` then shows the systems that have a value in every part. A name that
    is taken by another definition is answered with 409: delete it first."""

    def create(db: Connection) -> Created[BoardDefinition]:
        _check(db, settings, body)
        new = defined_store.create(db, body.name, _definition(body))
        stored = defined_store.find(db, body.name)
        if stored is None:
            raise not_found("board", body.name)
        shown = _view(stored)
        if not new and _definition(shown) != _definition(body):
            message = f"there is a board {body.name!r} that is defined otherwise: delete it first"
            raise ApiError(409, "board_exists", message, "name")
        return Created(shown, 201 if new else 200)

    return key.once(db, BoardDefinition, create).sent(response)


@router.get("", summary="Which boards have been defined")
def list_boards(db: Transaction) -> BoardDefinitions:
    """By name."""
    return BoardDefinitions(data=[_view(one) for one in defined_store.every(db)])


@router.get("/{board:path}", summary="One defined board", responses=TABLES)
@in_forms(defined_board_table)
def get_board(
    board: str, db: Transaction, settings: CurrentSettings, at: At = None
) -> DefinedBoard:
    """Systems with a value in every part, by the newest evaluation of each; the others are in
    `left_out`. Always with all that has landed, or that had `at` the time."""
    stored = _required(db, board)
    if at is not None:
        return defined.past(db, settings, stored, moment(at))
    return defined.refresh(db, settings, stored)


@router.delete("/{board:path}", summary="Delete a defined board")
def delete_board(board: str, db: Transaction) -> DeletedBoard:
    """The evaluations stay."""
    _required(db, board)
    defined_store.remove(db, board)
    return DeletedBoard(name=board)


def _required(db: Connection, name: str) -> Defined:
    stored = defined_store.find(db, name)
    if stored is None:
        names = [one.name for one in defined_store.every(db)]
        nearest = hint(name, names) if names else "none has been defined: POST /v1/boards"
        raise not_found("board", name, nearest)
    return stored


def _definition(one: DefinedBoardIn | BoardDefinition) -> dict[str, object]:
    return one.model_dump(mode="json", include={"parts", "aggregate", "allow_unlike_scales"})


def _view(stored: Defined) -> BoardDefinition:
    given = {"name": stored.name, "created_at": stored.created_at, **stored.definition}
    return BoardDefinition.model_validate(given)


def _check(db: Connection, settings: Settings, body: DefinedBoardIn) -> None:
    """Raises 422 for a part that nobody has a value of, and for scores that have no common mean."""
    parts = [_part(db, settings, part, f"parts[{at}]") for at, part in enumerate(body.parts)]
    labels = [one.label for one in parts]
    for at, label in enumerate(labels):
        if label in labels[:at]:
            message = f"{label} is there twice: give one of them a `weight`"
            raise invalid("duplicate_part", message, f"parts[{at}]")
    if body.aggregate != "mean" or body.allow_unlike_scales:
        return
    scales = defined_parts.ranges(settings, db, parts)
    first = next(iter(scales.items()), None)
    for label, scale in scales.items():
        if first is not None and scale != first[1]:
            message = (
                f"{first[0]} {_scale(first[1])} and {label} {_scale(scale)} have no common mean: "
                "take aggregate z or mean_rank, or say allow_unlike_scales"
            )
            raise invalid("unlike_scales", message, "aggregate")


def _part(db: Connection, settings: Settings, part: BoardPartIn, at: str) -> Chosen:
    dataset = datasets.require(db, part.dataset, f"{at}.dataset")
    try:
        found = defined_parts.chosen(db, part)
    except NothingHere:
        names = leaderboards.names(db, dataset.id)
        score = leaderboards.named(db, dataset.id, part.score)
        if not names:
            message = f"nothing has been evaluated on {dataset.name!r} yet"
            raise invalid("nothing_evaluated", message, f"{at}.dataset") from None
        if score not in names:
            message = f"no system has {part.score!r} on {dataset.name!r}: {hint(score, names)}"
            raise invalid("unknown_score", message, f"{at}.score") from None
        there = leaderboards.slices(db, dataset.id, score)
        what = hint(part.slice or "", there) if there else "no evaluation was asked for `slices`"
        message = f"no system has {score} for {part.slice!r} on {dataset.name!r}: {what}"
        raise invalid("unknown_slice", message, f"{at}.slice") from None
    row = next(iter(found.scores.values()))
    metric = find_metric(row.metric, settings.metric_roots).bind(row.resolved)
    if part.slice and metric.set_bound:
        message = f"{found.score} depends on the whole set: slices of it are not resampled"
        raise invalid("set_level_slice", message, f"{at}.slice")
    return found


def _scale(scale: tuple[str, float, float, bool]) -> str:
    _, low, high, higher = scale
    return f"({low:g} to {high:g}, {'higher' if higher else 'lower'} is better)"
