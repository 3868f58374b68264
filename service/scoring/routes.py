"""POST /v1/score: stateless and synchronous; the rewards of a training loop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

from service.db import worker_requests
from service.errors import invalid
from service.evaluations import steps
from service.evaluations.checks import (
    RequestedMetric,
    bound_metrics,
    check_samples,
    unique_ids,
)
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Patience
from service.http.gate import Gate
from service.http.router import Router
from service.http.waiting import answer_to
from service.jobs import queue
from service.scoring.schemas import ScoreIn, ScoresOut
from service.settings import Settings

router = Router(prefix="/v1/score", tags=["score"], route_class=BodyRoute)


@router.post("", summary="Score outputs now")
async def score(
    body: ScoreIn,
    gate: CurrentGate,
    wait: Patience,
    settings: CurrentSettings,
) -> ScoresOut:
    """Nothing is kept but the evidence cache. Requests of the same metrics that arrive together
    share the model's batches."""
    return await scores_of(gate, settings, body, wait)


async def scores_of(gate: Gate, settings: Settings, body: ScoreIn, wait: float) -> ScoresOut:
    """What a worker finds, within `wait` seconds. Raises 422, 500, 503."""
    request = await gate.run(lambda db: _queue(db, settings, body))
    advice = ", or POST an evaluation and wait for it"
    answered = await answer_to(gate, request, wait, advice)
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
                "metadata": sample.metadata,
            }
            for sample in samples
        ],
    }
    group = hashlib.sha256(orjson.dumps(metrics, option=orjson.OPT_SORT_KEYS)).digest()
    request = worker_requests.add(db, "score", content, group)
    queue.defer(db, "score.batch", queue=_side(db, asked), request=request)
    return request


def _side(db: Connection, asked: Sequence[RequestedMetric]) -> str:
    """The queue: what waits for servers, and runs no model here, holds up nobody who computes."""
    waiting = [one for one in asked if steps.waits(db, one.metric)]
    computing = [one for one in asked if one.metric.models and one not in waiting]
    return "ask" if waiting and not computing else "now"


def _unique_names(asked: Sequence[RequestedMetric]) -> None:
    """Raises 422 when two metrics have a score of one name: the answer is keyed by names."""
    seen: dict[str, int] = {}
    for index, one in enumerate(asked):
        for name in one.metric.score_names:
            first = seen.setdefault(name, index)
            if first != index:
                message = f"metrics[{first}] has a score {name} already: ask for one at a time"
                raise invalid("duplicate_score", message, f"metrics[{index}]")
