"""Models by their names, those behind URLs, and stored rewards."""

from __future__ import annotations

from datetime import datetime

from assay.models import Answer, Json


class ModelLimits(Answer):
    """How often a registered model is asked, over all workers together."""

    concurrency: int
    requests_per_minute: int | None
    tokens_per_minute: int | None


class ModelPrice(Answer):
    """What a registered model costs, per million tokens."""

    input: float | None
    output: float | None


class ModelOffers(Answer):
    """What a server was seen to do; `problems` says by name why something is not offered."""

    chat: bool
    completions: bool
    logprobs: bool
    echo: bool
    n: bool
    seed: bool
    latency_s: float
    model: str | None
    fingerprint: str | None
    problems: dict[str, str]


class RegisteredModel(Answer):
    """How a model behind a URL was registered; `key` says where its key is: `stored`,
    `environment`, or None for no key."""

    url: str
    model: str
    key: str | None
    api_key_env: str | None
    limits: ModelLimits
    timeout_s: float
    price: ModelPrice
    extra_body: Json
    offers: ModelOffers | None
    checked_at: datetime | None
    created_at: datetime


class Model(Answer):
    """A model that can be named without a download; `origin`: `builtin`, `root` for a folder,
    `checkpoint`, or `registered` for one behind a URL."""

    id: str
    origin: str
    registered: RegisteredModel | None = None


class DeletedModel(Answer):
    """A model that is registered no more."""

    id: str
    deleted: bool


class StoredReward(Answer):
    """What outputs earn, asked for at `/get_reward/{name}`; `rewards` as in the options of a
    training job, `ends` texts that an output ends at."""

    name: str
    rewards: list[Json]
    ends: list[str]
    created_at: datetime


class DeletedReward(Answer):
    """A reward that is stored no more."""

    name: str
    deleted: bool
