"""POST /v1/meta_evaluations: which score agrees with people?"""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from sqlalchemy import Connection

from service.db import worker_requests
from service.errors import ApiError
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings
from service.http.router import Router
from service.http.waiting import answer_to, preferred_wait
from service.jobs import queue
from service.meta_evaluations.gathering import gathered
from service.meta_evaluations.schemas import MetaEvaluationIn, MetaEvaluationOut

WAIT = 120.0  # seconds
BEFORE_SHARDS = 1  # priority: somebody waits

router = Router(prefix="/v1/meta_evaluations", tags=["calibrations"], route_class=BodyRoute)


@router.post("", summary="Hold scores to people's ratings")
async def create_meta_evaluation(
    body: MetaEvaluationIn,
    gate: CurrentGate,
    settings: CurrentSettings,
    prefer: Annotated[str | None, Header()] = None,
) -> MetaEvaluationOut:
    """As WMT judges metrics: correlations with people's ratings of outputs and of systems, with
    intervals, and a paired test of every two scores. A worker computes it, nothing is stored.
    `Prefer: wait=600` waits longer than 120 s."""

    def ask(db: Connection) -> str:
        gathered(db, settings, body)
        request = worker_requests.add(db, "meta", body.model_dump(mode="json"))
        queue.defer(db, "meta.compute", priority=BEFORE_SHARDS, request=request)
        return request

    request = await gate.run(ask)
    advice = ", or name fewer `metrics` or `permutations`"
    answered = await answer_to(gate, request, preferred_wait(prefer) or WAIT, advice)
    if answered.get("error"):
        raise ApiError(500, answered["error"]["code"], answered["error"]["message"])
    return MetaEvaluationOut.model_validate(answered)
