"""Metrics as the reward of a framework that asks a URL, as OpenRLHF does: /get_reward, and
/v1/rewards, where rewards are stored by name."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import Query, Response
from pydantic import ValidationError
from sqlalchemy import Connection

from service.errors import ApiError, invalid
from service.evaluations.schemas import MetricIn
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Idempotent, Transaction
from service.http.fields import Page
from service.http.idempotency import Created
from service.http.router import Router
from service.scoring import rewards_store as stored
from service.scoring.earning import earned
from service.scoring.reward_checks import bound_rewards, named_calibrations
from service.scoring.reward_schemas import (
    DeletedRewardOut,
    RewardIn,
    RewardsOut,
    RewardTerms,
    StoredRewardIn,
    StoredRewardOut,
)
from service.scoring.rewards_store import StoredReward
from trainers.job.options import Reward

router = Router(tags=["score"], route_class=BodyRoute)

DEFAULT = "default"  # the stored reward that /get_reward asks for where the URL names no metric
QUERY = {"name": "metric", "ends": "end"}  # what the URL calls fields of ours


@router.post("/get_reward", summary="Rewards of outputs")
async def get_reward(
    body: RewardIn,
    gate: CurrentGate,
    settings: CurrentSettings,
    metric: Annotated[
        str | None, Query(description="a metric's name; default: the stored reward `default`")
    ] = None,
    params: Annotated[str | None, Query(description="its parameters, as JSON")] = None,
    score: Annotated[str | None, Query(description="which score; else the metric's first")] = None,
    end: Annotated[
        list[str] | None, Query(description="texts that an output ends at, as `<|im_end|>`")
    ] = None,
    missing: Annotated[
        float | None,
        Query(
            allow_inf_nan=False, description="the reward of what has no value; else it is an error"
        ),
    ] = None,
) -> RewardsOut:
    """By the metric that the URL names, which stays the same for a whole training:
    `/get_reward?metric=reward&params={"model":"ckpt_…"}`, percent-encoded. A reward with more to
    say is stored, `POST /v1/rewards`, and asked for at `/get_reward/{name}`."""
    if metric is not None:
        terms = _terms(metric, params, score, end or [], missing)
        return await earned(gate, settings, terms, body)
    found = None
    if (params, score, end, missing) == (None, None, None, None):
        found = await gate.run(lambda db: stored.find(db, DEFAULT))
    if found is None:
        message = (
            "name a metric, as /get_reward?metric=chrf, or a stored reward, as /get_reward/math; "
            f"this URL alone asks for the stored reward {DEFAULT!r}"
        )
        raise invalid("missing", message, "metric")
    return await earned(gate, settings, _stored_terms(found), body)


@router.post("/get_reward/{reward}", summary="Rewards of outputs, by a stored reward")
async def get_stored_reward(
    reward: str, body: RewardIn, gate: CurrentGate, settings: CurrentSettings
) -> RewardsOut:
    """A number for each query."""
    found = await gate.run(lambda db: stored.require(db, reward))
    return await earned(gate, settings, _stored_terms(found), body)


@router.post(
    "/v1/rewards",
    status_code=201,
    responses={200: {"model": StoredRewardOut, "description": "There is this reward already"}},
    summary="Store a reward",
)
def create_reward(
    body: StoredRewardIn,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> StoredRewardOut:
    """What outputs earn, by a name to ask for it: `POST /get_reward/{name}`. It never changes:
    another one of this name is a 409."""

    def create(db: Connection) -> Created[StoredRewardOut]:
        rewards = named_calibrations(db, settings, body.rewards, "rewards")
        metrics = bound_rewards(db, settings, rewards, "rewards")
        content = RewardTerms(rewards=rewards, ends=body.ends).model_dump(mode="json")
        models = {name for one in metrics for name in one.models}
        new = stored.create(db, body.name, content, models)
        found = stored.require(db, body.name)
        if not new and dict(found.content) != content:
            message = f"there is another reward {body.name!r}: choose a name, or DELETE that one"
            raise ApiError(409, "reward_exists", message, "name")
        return Created(_view(found), 201 if new else 200)

    return key.once(db, StoredRewardOut, create).sent(response)


@router.get("/v1/rewards", summary="Stored rewards")
def list_rewards(db: Transaction) -> Page[StoredRewardOut]:
    """All of them, by name."""
    data = [_view(one) for one in stored.every(db)]
    return Page(
        data=data,
        first_id=data[0].name if data else None,
        last_id=data[-1].name if data else None,
    )


@router.get("/v1/rewards/{reward}", summary="One stored reward")
def get_stored(reward: str, db: Transaction) -> StoredRewardOut:
    """As it was stored, with its defaults."""
    return _view(stored.require(db, reward))


@router.delete("/v1/rewards/{reward}", summary="Forget a stored reward")
def delete_reward(reward: str, db: Transaction) -> DeletedRewardOut:
    """Whoever still asks for it gets 404."""
    stored.require(db, reward)
    stored.remove(db, reward)
    return DeletedRewardOut(name=reward)


def _view(found: StoredReward) -> StoredRewardOut:
    return StoredRewardOut.model_validate(
        {"name": found.name, "created_at": found.created_at, **found.content}
    )


def _stored_terms(found: StoredReward) -> RewardTerms:
    return RewardTerms.model_validate(found.content)


def _terms(
    metric: str, params: str | None, score: str | None, ends: list[str], missing: float | None
) -> RewardTerms:
    """What the URL says."""
    try:
        named = MetricIn(name=metric, params=orjson.loads(params or "{}"))
        reward = Reward(
            metric=named.name,
            params=named.params,
            name=score,
            unmeasured="fail" if missing is None else missing,
        )
        return RewardTerms(rewards=[reward], ends=[one for one in ends if one])
    except orjson.JSONDecodeError as error:
        raise invalid("invalid_json", f"params is not valid JSON: {error}", "params") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        raise invalid(first["type"], first["msg"], QUERY.get(field, field)) from None
