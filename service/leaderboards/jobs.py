"""board.update: the boards of a dataset version, computed when an evaluation has landed on it."""

from __future__ import annotations

import logging

from sqlalchemy.exc import SQLAlchemyError

from service.datasets import store as datasets
from service.jobs.context import Context
from service.leaderboards import boards_store
from service.leaderboards import store as leaderboards
from service.leaderboards.boards import NothingHere, refresh
from service.leaderboards.boards_store import BoardKey

log = logging.getLogger(__name__)


def update(context: Context, dataset: str) -> None:
    """Every score's board over the whole set, and those that somebody has read. Boards that are up
    to date stay; each is stored by itself, so an attempt that is cut off leaves the others."""
    with context.engine.begin() as db:
        version = datasets.find(db, dataset)
        if version is None:
            return
        keys = [BoardKey(version.id, name) for name in leaderboards.names(db, version.id)]
        keys += [key for key in boards_store.keys(db, version.id) if key not in keys]
    for key in keys:
        context.advance()
        try:
            with context.engine.begin() as db:
                refresh(db, context.settings, version, key)
        except NothingHere:
            continue  # values in slices alone, or a signature that nobody has any more
        except SQLAlchemyError:
            raise  # worth another attempt
        except Exception as error:  # whatever it is, the other boards stand
            log.error(
                "the board of %s by %s cannot be computed", dataset, key.score, exc_info=error
            )
