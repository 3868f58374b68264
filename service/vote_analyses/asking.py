"""What is asked of a project's votes: kept from before, computed here, or by a worker of many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel
from sqlalchemy import Connection

from service.annotation.kept import Kept
from service.db import worker_requests
from service.errors import not_found
from service.http.gate import Gate
from service.http.waiting import answer_to
from service.jobs import queue
from service.vote_analyses import computed, store
from service.vote_analyses.computed import Asked
from service.vote_analyses.consensus import LabelFit
from service.vote_analyses.schemas import VoteAnalysisOut
from service.vote_analyses.store import Rows

MOST_HERE = 1000  # votes, more of which a worker looks at: annotators wait for nobody
BEFORE_SHARDS = 1  # priority: somebody waits

ONE = CapacityLimiter(1)  # computed here at a time: several would only wait for each other

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Started(Generic[M]):
    """What is asked, and how far that is: kept, or of these rows, or of a worker's `request`."""

    asked: Asked
    kept: M | None = None
    rows: Rows | None = None
    request: str = ""


class Finding(Generic[M]):
    """Something that votes say, which takes a while to find; of the same votes it is found once.

    what  its name in COMPUTED, by which a worker knows what to compute
    """

    def __init__(self, what: str, model: type[M], compute: Callable[[Asked, Rows], M]) -> None:
        self.what = what
        self.model = model
        self.compute = compute
        self._kept: Kept[M] = Kept()

    async def of(self, gate: Gate, ask: Callable[[Connection], Asked], wait: float) -> M:
        """It, of the votes that stand now. Raises 404, and 503 where no worker answers in time.

        wait  seconds
        """
        started = await gate.run(lambda db: self._start(db, ask(db)))
        if started.kept is not None:
            return started.kept
        if started.rows is not None:
            found = await to_thread.run_sync(self.compute, started.asked, started.rows, limiter=ONE)
        else:
            found = await self._answered(gate, started, wait)
        self._kept.add(started.asked.key, found)
        return found

    def _start(self, db: Connection, asked: Asked) -> Started[M]:
        kept = self._kept.get(asked.key)
        if kept is not None:
            return Started(asked, kept=kept)
        if asked.state.stand + asked.state.judged <= MOST_HERE:
            return Started(asked, rows=store.read(db, asked.project.id))
        body = {
            "what": self.what,
            "project": asked.project.id,
            "criterion": asked.criterion,
            "exclude": sorted(asked.exclude),
        }
        request = worker_requests.add(db, "vote_analysis", body)
        queue.defer(db, "vote_analysis.compute", priority=BEFORE_SHARDS, request=request)
        return Started(asked, request=request)

    async def _answered(self, gate: Gate, started: Started[M], wait: float) -> M:
        answered = await answer_to(gate, started.request, wait, "; ask again")
        if answered["found"] is None:  # it was deleted meanwhile
            raise not_found("annotation project", started.asked.project.id)
        return self.model.model_validate(answered["found"])


ANALYSIS = Finding("analysis", VoteAnalysisOut, computed.vote_analysis)
LABEL_FIT = Finding("label_fit", LabelFit, computed.label_fit)
