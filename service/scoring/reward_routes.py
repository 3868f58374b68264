"""POST /get_reward: a metric as the reward of a framework that asks a URL, as OpenRLHF does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import invalid
from service.evaluations.schemas import MetricIn, SampleIn
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings
from service.http.fields import Text
from service.scoring.routes import scores_of
from service.scoring.schemas import ScoreIn, ScoresOut

router = APIRouter(prefix="/get_reward", tags=["score"], route_class=BodyRoute)

WAIT = 170.0  # seconds: OpenRLHF's client waits 180


Label = Text | list[Text] | float | None


class RewardIn(BaseModel):
    """What OpenRLHF sends; other fields are not read."""

    model_config = ConfigDict(extra="ignore")

    query: Annotated[
        list[Text],
        Field(min_length=1, max_length=10_000, description="prompts with the outputs behind them"),
    ]
    prompts: Annotated[
        list[Text] | None, Field(description="how each query begins; none: queries are outputs")
    ] = None
    labels: Annotated[
        list[Label] | None, Field(description="references: a text, several, or null")
    ] = None


class RewardsOut(BaseModel):
    """A number for each query."""

    rewards: list[float]
    scores: list[float]  # the same: OpenRLHF filters prompts by them
    extra_logs: dict[str, list[float]]  # all of the metric's scores; 0 or `missing` for no value


@router.post("", summary="Rewards of outputs")
async def get_reward(
    body: RewardIn,
    gate: CurrentGate,
    settings: CurrentSettings,
    metric: Annotated[str, Query(description="a metric's name; `GET /v1/metrics` lists them")],
    params: Annotated[str | None, Query(description="its parameters, as JSON")] = None,
    score: Annotated[str | None, Query(description="which score; else the metric's first")] = None,
    end: Annotated[
        list[str] | None, Query(description="texts that an output ends at, as `<|im_end|>`")
    ] = None,
    missing: Annotated[
        float | None, Query(description="the reward of what has no value; else that is an error")
    ] = None,
) -> RewardsOut:
    """The metric is named in the URL, which stays the same for a whole training:
    `/get_reward?metric=reward&params={"model":"ckpt_…"}`, percent-encoded."""
    asked = ScoreIn(metrics=[_metric(metric, params)], samples=_samples(body, end or []))
    found = await scores_of(gate, settings, asked, WAIT)
    name = score if score is not None else next(iter(found.scores))
    if name not in found.scores:
        raise invalid("unknown_score", f"the metric has {', '.join(found.scores)}", "score")
    rewards = _rewards(found, name, missing)
    filled = missing or 0.0
    logs = {
        one: [filled if value is None else value for value in scored.per_sample]
        for one, scored in found.scores.items()
        if scored.per_sample is not None
    }
    return RewardsOut(rewards=rewards, scores=rewards, extra_logs=logs)


def _metric(name: str, params: str | None) -> MetricIn:
    try:
        return MetricIn(name=name, params=orjson.loads(params or "{}"))
    except orjson.JSONDecodeError as error:
        raise invalid("invalid_json", f"params is not valid JSON: {error}", "params") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise invalid(first["type"], first["msg"], str((*first["loc"], "metric")[0])) from None


def _samples(body: RewardIn, ends: list[str]) -> list[SampleIn]:
    for name, several in (("prompts", body.prompts), ("labels", body.labels)):
        if several is not None and len(several) != len(body.query):
            message = f"{len(several)} {name} for {len(body.query)} queries"
            raise invalid("wrong_length", message, name)
    nothing = [None] * len(body.query)
    prompts: Sequence[str | None] = body.prompts or nothing
    labels: Sequence[Label] = body.labels or nothing
    return [
        SampleIn(
            id=str(index),
            output=_output(query, prompt, ends),
            references=_references(label),
            prompt=prompt,
        )
        for index, (query, prompt, label) in enumerate(
            zip(body.query, prompts, labels, strict=True)
        )
    ]


def _output(query: str, prompt: str | None, ends: list[str]) -> str:
    """What stands behind the prompt, before which a tokenizer may have put a token of its own."""
    at = query.find(prompt) if prompt else -1
    output = query[at + len(prompt or "") :] if at >= 0 else query
    cuts = [place for place in (output.find(end) for end in ends if end) if place >= 0]
    return output[: min(cuts)] if cuts else output


def _references(label: Label) -> list[str]:
    several = label if isinstance(label, list) else [label]
    return [str(one) for one in several if one is not None]


def _rewards(found: ScoresOut, name: str, missing: float | None) -> list[float]:
    scored = found.scores[name]
    if scored.per_sample is None:
        why = (scored.error or {}).get("message") or "it is a score of the whole set"
        raise invalid("no_reward", f"{name} has no value for each sample: {why}", "metric")
    rewards = [missing if value is None else value for value in scored.per_sample]
    lacking = next((at for at, value in enumerate(rewards) if value is None), None)
    if lacking is not None:
        message = f"{name} has no value for query[{lacking}]; `missing=0` gives such a reward"
        raise invalid("no_reward", message, f"query[{lacking}]")
    return [value for value in rewards if value is not None]
