"""POST /v1/score: stateless and synchronous; the rewards of a training loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header
from sqlalchemy import Connection

from service.errors import ApiError, invalid
from service.evaluations.checks import (
    RequestedMetric,
    bound_metrics,
    check_samples,
    unique_ids,
)
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings
from service.http.waiting import preferred_wait, until
from service.jobs import queue
from service.scoring import store as score_requests
from service.scoring.schemas import ScoreIn, ScoresOut
from service.settings import Settings

router = APIRouter(prefix="/v1/score", tags=["score"], route_class=BodyRoute)

DEFAULT_WAIT = 120.0  # seconds


@router.post("", summary="Score outputs now")
async def score(
    body: ScoreIn,
    gate: CurrentGate,
    settings: CurrentSettings,
    prefer: Annotated[str | None, Header()] = None,
) -> ScoresOut:
    """Nothing is kept but the evidence cache. Requests of the same metrics that arrive together
    share the model's batches."""
    request = await gate.run(lambda db: _queue(db, settings, body))
    answered: dict[str, Any] = {}

    def look(db: Connection) -> bool:
        response = score_requests.collect(db, request)
        answered.update(response or {})
        return response is not None

    wait = preferred_wait(prefer) or DEFAULT_WAIT
    try:
        done = await until(gate, request, look, wait)
    except asyncio.CancelledError:  # the client went away
        await asyncio.shield(gate.run(lambda db: score_requests.abandon(db, request)))
        raise
    if not done:
        await gate.run(lambda db: score_requests.abandon(db, request))
        message = f"no worker answered within {wait:.0f} s; see /readyz for the queue, or POST an "
        raise ApiError(503, "timed_out", message + "evaluation and wait for it")
    if answered.get("error"):
        raise ApiError(500, answered["error"]["code"], answered["error"]["message"])
    return ScoresOut.model_validate(answered)


def _queue(db: Connection, settings: Settings, body: ScoreIn) -> str:
    asked = bound_metrics(db, settings, body.metrics)
    samples = [sample.sample(index) for index, sample in enumerate(body.samples)]
    for index, sample in enumerate(samples):
        if not sample.outputs:
            message = f"samples[{index}] has no output"
            raise invalid("missing_output", message, f"samples[{index}].output")
    unique_ids(samples)
    _unique_names(asked)
    check_samples(asked, samples)
    metrics = [{"name": one.metric.name, "params": one.metric.dump()} for one in asked]
    content = {
        "metrics": metrics,
        "samples": [
            {
                "id": sample.id,
                "outputs": sample.outputs,
                "references": sample.references,
                "prompt": sample.prompt,
                "tests": sample.tests,
            }
            for sample in samples
        ],
    }
    group = hashlib.sha256(orjson.dumps(metrics, option=orjson.OPT_SORT_KEYS)).digest()
    request = score_requests.add(db, group, content)
    queue.defer(db, "score.batch", queue="now", request=request)
    return request


def _unique_names(asked: Sequence[RequestedMetric]) -> None:
    """Raises 422 when two metrics have a score of one name: the answer is keyed by names."""
    seen: dict[str, int] = {}
    for index, one in enumerate(asked):
        for name in one.metric.score_names:
            first = seen.setdefault(name, index)
            if first != index:
                message = f"metrics[{first}] has a score {name} already: ask for one at a time"
                raise invalid("duplicate_score", message, f"metrics[{index}]")
