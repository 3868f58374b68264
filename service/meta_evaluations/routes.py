"""POST /v1/meta_evaluations: which score agrees with people?"""

from __future__ import annotations

from sqlalchemy import Connection

from service.db import worker_requests
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Patience
from service.http.router import Router
from service.http.waiting import answer_to
from service.jobs import queue
from service.meta_evaluations.gathering import gathered
from service.meta_evaluations.schemas import MetaEvaluationIn, MetaEvaluationOut

BEFORE_SHARDS = 1  # priority: somebody waits

router = Router(prefix="/v1/meta_evaluations", tags=["calibrations"], route_class=BodyRoute)


@router.post("", summary="Hold scores to people's ratings")
async def create_meta_evaluation(
    body: MetaEvaluationIn,
    gate: CurrentGate,
    wait: Patience,
    settings: CurrentSettings,
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
    answered = await answer_to(gate, request, wait, advice)
    return MetaEvaluationOut.model_validate(answered)
