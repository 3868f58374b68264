"""board.update: the boards of a dataset version, computed when an evaluation has landed on it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Concatenate, ParamSpec

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from service.datasets import store as datasets
from service.datasets.store import Dataset
from service.errors import ApiError
from service.jobs.context import Context
from service.leaderboards import boards_store, defined, defined_store
from service.leaderboards import store as leaderboards
from service.leaderboards.boards import NothingHere, refresh
from service.leaderboards.boards_store import BoardKey
from service.settings import Settings

log = logging.getLogger(__name__)

P = ParamSpec("P")


def update(context: Context, dataset: str) -> None:
    """Every score's board over the whole set, those that somebody has read, and the defined boards
    that it is a part of. Boards that are up to date stay; each is stored by itself, so an attempt
    that is cut off leaves the others."""
    with context.engine.begin() as db:
        version = datasets.find(db, dataset)
        if version is None:
            return
        keys = [BoardKey(version.id, name) for name in leaderboards.names(db, version.id)]
        keys += [key for key in boards_store.keys(db, version.id) if key not in keys]
        over = [one.name for one in defined_store.every(db) if defined.is_over(db, one, version)]
    for key in keys:
        _computed(context, f"the board of {dataset} by {key.score}", _board, version, key)
    for name in over:
        _computed(context, f"the board {name}", _defined, name)


def _board(db: Connection, settings: Settings, version: Dataset, key: BoardKey) -> None:
    with suppress(NothingHere):  # values in slices alone, or a signature that nobody has any more
        refresh(db, settings, version, key)


def _defined(db: Connection, settings: Settings, name: str) -> None:
    stored = defined_store.find(db, name)
    if stored is not None:
        with suppress(ApiError):  # its reader is told
            defined.refresh(db, settings, stored)


def _computed(
    context: Context,
    what: str,
    compute: Callable[Concatenate[Connection, Settings, P], None],
    *given: P.args,
    **named: P.kwargs,
) -> None:
    context.advance()
    try:
        with context.engine.begin() as db:
            compute(db, context.settings, *given, **named)
    except SQLAlchemyError:
        raise  # worth another attempt
    except Exception as error:  # whatever it is, the other boards stand
        log.error("%s cannot be computed", what, exc_info=error)
