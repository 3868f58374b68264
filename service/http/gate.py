"""The one way from a request to the database: every transaction of a request begins here.

What must hold for all of them (later: which project's rows a request may see) is set in
`Gate.transaction`, and nowhere else. A test refuses any other use of the engine by a route.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection, Engine

from service.db.notices import Notices

T = TypeVar("T")


class Gate:
    """Transactions of one API process, and the notices that wake who waits for rows to change."""

    def __init__(self, engine: Engine, notices: Notices) -> None:
        self._engine = engine
        self.notices = notices

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction, committed at the end of the block. For code in a thread."""
        with self._engine.begin() as db:
            yield db

    async def run(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` in one transaction, in a thread: the event loop never blocks."""
        return await run_in_threadpool(self._run, work)

    def _run(self, work: Callable[[Connection], T]) -> T:
        with self.transaction() as db:
            return work(db)
